import fc from 'fast-check'

/** Characters that YAML gives a meaning, and words that it takes for something else than text. */
const NASTY = [
  '',
  'yes',
  'off',
  '~',
  'null',
  '0644',
  '1e3',
  '12:30',
  '1_000',
  '.5',
  '- a',
  'a: b',
  'a #b',
  '# a',
  '"q"',
  "it's"
]
const NASTIER = [
  '*a',
  '&a',
  '!t',
  '{a}',
  '[b',
  '%d',
  '@x',
  '`x',
  'ends ',
  ' starts',
  'two\nlines\n',
  'tab\there',
  'é – 日本',
  '',
  '..',
  '---',
  '<<',
  'a,b',
  'x[0]',
  'y}'
]

const plain = fc.stringMatching(/^[a-z][a-z0-9./-]{0,8}[a-z0-9]$/)
const text = fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: fc.constantFrom(...NASTY, ...NASTIER) })
const leaf = fc.oneof(text, fc.integer({ min: -5, max: 70_000 }), fc.boolean(), fc.constant(null))

/** JSON as a patch may bring it. */
export const added = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(plain, fc.constantFrom('a/b~c', 'yes', 'x y')), tie('value'), {
      maxKeys: 3,
      noNullPrototype: true
    })
  )
})).value

/** A value together with how somebody wrote it. */
type Written =
  | { readonly kind: 'scalar'; readonly text: string }
  | { readonly kind: 'literal'; readonly lines: readonly string[]; readonly chomp: '' | '-' | '+' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'flow'; readonly text: string }
  | {
      readonly kind: 'flow-lines'
      readonly entries: readonly string[]
      readonly brackets: '[]' | '{}'
      readonly comma: boolean
    }
  | { readonly kind: 'map'; readonly pairs: readonly { key: string; value: Written; comments: Comments }[] }
  | { readonly kind: 'list'; readonly items: readonly { value: Written; comments: Comments }[] }

/** Comments and blank lines around one entry. */
interface Comments {
  readonly above: readonly string[]
  readonly behind: string
}

const comments: fc.Arbitrary<Comments> = fc.record({
  above: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.constantFrom('', '# a comment', '#- commented: out', '# - x'), {
        minLength: 1,
        maxLength: 2
      })
    }
  ),
  behind: fc.constantFrom('', '', '', ' # why', '   # "quoted" {odd} [', ' ')
})
const key = fc.constantFrom(
  'name',
  'image',
  '"quoted"',
  "'single'",
  'a.b/c-d',
  'spec',
  'metadata',
  'annotations',
  'env',
  'x y'
)
const scalar = fc.constantFrom(
  'text',
  '"double"',
  "'it''s'",
  '12',
  '0644',
  'yes',
  '1.50',
  'http://localhost:9480',
  '!!str 7',
  '"a\\tb"',
  '&here 5',
  'two words',
  '~'
)
const pairsOf = <T>(value: fc.Arbitrary<T>) =>
  fc.uniqueArray(fc.record({ key, value, comments }), {
    minLength: 1,
    maxLength: 4,
    selector: pair => pair.key.replaceAll(/["']/g, '')
  })

const written = fc.letrec<{ value: Written; map: Written }>(tie => ({
  map: fc.record({ kind: fc.constant('map' as const), pairs: pairsOf(tie('value')) }),
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({ kind: fc.constant('scalar' as const), text: scalar }),
    fc.record({
      kind: fc.constant('literal' as const),
      lines: fc
        .array(fc.constantFrom('one', '  two # no comment', '', 'three: 3'), { maxLength: 3 })
        .map(lines => ['first', ...lines]),
      chomp: fc.constantFrom('', '-', '+')
    }),
    fc.constant({ kind: 'missing' as const }),
    fc.record({
      kind: fc.constant('flow' as const),
      text: fc.constantFrom(
        '{}',
        '[]',
        '{ }',
        '[a, b]',
        '{a: b, c: [d]}',
        '{"a":1,"b":[2]}',
        '{"a": 1}',
        '[ {x: y}, z, ]',
        '{ a: "b, c" }',
        '{n: null, m: {}, l: ~}',
        '[\n]'
      )
    }),
    fc.record({
      kind: fc.constant('flow-lines' as const),
      brackets: fc.constantFrom('[]', '{}'),
      comma: fc.boolean(),
      entries: fc.uniqueArray(fc.constantFrom('"one": 1', '"two": {"a": []}', '"three": [\n      4]'), { minLength: 1 })
    }),
    tie('map'),
    fc.record({
      kind: fc.constant('list' as const),
      items: fc.array(fc.record({ value: tie('value'), comments }), { minLength: 1, maxLength: 3 })
    })
  )
}))

/** How a whole file is laid out. */
interface Layout {
  readonly step: number
  readonly dashes: number
}

/** Files as people write them: comments and blank lines anywhere, block and flow, every kind of quotes. */
export const yamlFile: fc.Arbitrary<string> = fc
  .record({
    documents: fc.array(written.map, { minLength: 1, maxLength: 2 }),
    step: fc.constantFrom(2, 2, 3, 4),
    dashes: fc.constantFrom(0, 0, 2, 4),
    head: fc.constantFrom('', '# Copyright\n\n', '---\n', '\uFEFF', '# c\n---\n'),
    eol: fc.constantFrom('\n', '\n', '\r\n'),
    foot: fc.constantFrom('\n', '', '\n\n# the end\n', '\n...\n', '\n\n')
  })
  .map(({ documents, step, dashes, head, eol, foot }) => {
    const texts = documents.map(document => lines(document, { step, dashes }).join('\n'))
    return (head + texts.join('\n---\n') + foot).replaceAll('\n', eol)
  })

function lines(value: Written, layout: Layout): string[] {
  if (value.kind === 'map') return value.pairs.flatMap(pair => pairLines(pair, layout))
  if (value.kind === 'list') return value.items.flatMap(item => itemLines(item, layout))
  return []
}

function pairLines(
  { key: name, value, comments: { above, behind } }: { key: string; value: Written; comments: Comments },
  layout: Layout
): string[] {
  const nested = lines(value, layout)
  const columns = value.kind === 'list' ? layout.dashes : layout.step
  const [first, ...others] = inline(value)
  return [
    ...above,
    `${name}:${first === undefined ? '' : ` ${first}`}${commentAfter(value, behind)}`,
    ...indented(others, layout.step),
    ...indented(nested, columns)
  ]
}

function itemLines(
  { value, comments: { above, behind } }: { value: Written; comments: Comments },
  layout: Layout
): string[] {
  const [first = '', ...nested] = lines(value, layout)
  if (value.kind === 'map' && !/^(?:#|$)/.test(first)) return [...above, `- ${first}`, ...indented(nested, 2)]
  if (value.kind === 'map' || value.kind === 'list')
    return [...above, `-${behind}`, ...indented(lines(value, layout), 2)]
  const [head = '', ...others] = inline(value)
  return [...above, `- ${head}${commentAfter(value, behind)}`, ...indented(others, 2)]
}

/** The first line of a value that is written behind its key, and the lines of it below. */
function inline(value: Written): string[] {
  switch (value.kind) {
    case 'scalar':
    case 'flow':
      return value.text.split('\n')
    case 'literal':
      return [`|${value.chomp}`, ...value.lines]
    case 'flow-lines': {
      const [open, close] = value.brackets
      const entries = value.entries.flatMap((entry, index) => {
        const shown = value.brackets === '[]' ? `{${entry}}` : entry
        return `  ${shown}${value.comma || index < value.entries.length - 1 ? ',' : ''}`.split('\n')
      })
      return [open ?? '', ...entries, `  ${close ?? ''}`]
    }
    case 'missing':
    case 'map':
    case 'list':
      return []
  }
}

/** A comment behind the first line of a value on several would be a part of it, or be none. */
function commentAfter(value: Written, behind: string): string {
  const isOneLine = value.kind !== 'flow-lines' && !(value.kind === 'flow' && value.text.includes('\n'))
  return isOneLine ? behind : ''
}

function indented(all: readonly string[], columns: number): string[] {
  return all.map(line => (line === '' ? line : ' '.repeat(columns) + line))
}

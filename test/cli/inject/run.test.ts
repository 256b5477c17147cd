import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { InputError } from '../../../cli/inject/input-error.ts'
import { SETTINGS } from '../../webhook/pods.ts'
import { pod, QUIET, POD, run, withTemplate } from './manifests.ts'

type Json = Record<string, unknown>

const TEMPLATE = ['spec', 'template']

/** What is wrong with an input. */
function mistakesOf(texts: Parameters<typeof run>[0], options: Parameters<typeof run>[1] = {}): string[] {
  try {
    run(texts, options)
  } catch (error) {
    if (error instanceof InputError) return error.message.split('\n')
    throw error
  }
  assert.fail('nothing was said to be wrong')
}

describe('objects with pods', () => {
  for (const [apiVersion, kind, path] of [
    ['v1', 'PodTemplate', ['template']],
    ['v1', 'ReplicationController', TEMPLATE],
    ['apps/v1', 'Deployment', TEMPLATE],
    ['extensions/v1beta1', 'Deployment', TEMPLATE],
    ['apps/v1', 'StatefulSet', TEMPLATE],
    ['apps/v1', 'DaemonSet', TEMPLATE],
    ['apps/v1', 'ReplicaSet', TEMPLATE],
    ['batch/v1', 'Job', TEMPLATE],
    ['batch/v1', 'CronJob', ['spec', 'jobTemplate', ...TEMPLATE]]
  ] as const) {
    test(`${kind} of ${apiVersion} has its pod at ${path.join('.')}`, () => {
      const { code, stdout } = run(withTemplate(apiVersion, kind, path), { output: 'patch' })
      const [{ patch, ...object } = assert.fail()] = JSON.parse(stdout) as [Json & { patch: { path: string }[] }]
      assert.deepEqual([code, object], [0, { kind, name: 'it', namespace: 'default' }])
      assert.ok(patch.length > 0)
      for (const { path: changed } of patch) assert.match(changed, new RegExp(`^/${path.join('/')}/(metadata|spec)/`))
      const { stdout: yaml } = run(withTemplate(apiVersion, kind, path))
      const template = path.reduce<unknown>((value, key) => (value as Json)[key], parse(yaml)) as { spec: Json }
      assert.equal((template.spec['initContainers'] as Json[])[0]?.['name'], 'inference-logger')
    })
  }

  test('a pod is one itself', () => {
    const [{ patch } = assert.fail()] = JSON.parse(run(pod('p'), { output: 'patch' }).stdout) as [
      { patch: { path: string }[] }
    ]
    for (const { path } of patch) assert.match(path, /^\/(metadata|spec)\//)
  })

  for (const [what, text] of [
    ['of a group with other objects of that kind', withTemplate('example.com/v1', 'Deployment', TEMPLATE)],
    ['of a kind that makes no pods', withTemplate('apps/v1', 'ControllerRevision', TEMPLATE)],
    ['without a template', 'apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n'],
    ['without a kind', 'image: x\nreplicas: 3\n']
  ] as const) {
    test(`an object ${what} passes untouched, and only the JSON report has it`, () => {
      const { code, stdout, stderr } = run({ 'a.yaml': text })
      assert.deepEqual([code, stdout], [3, text])
      assert.match(stderr, /^nothing to inject: there is none of Pod, PodTemplate, .*CronJob\n$/)
      assert.equal(run(text, { output: 'patch' }).stdout, '[]\n')
      const [entry] = JSON.parse(run(text, { report: 'json' }).stderr) as [
        { result: string; reasons: [{ code: string }] }
      ]
      assert.deepEqual([entry.result, entry.reasons[0].code], ['skip', 'not_a_pod'])
    })
  }

  test('an InferenceService makes pods through KServe only: it says where to look', () => {
    const text =
      'apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: iris, namespace: models}\n'
    const { code, stdout, stderr } = run(text)
    assert.deepEqual([code, stdout], [3, text])
    assert.match(
      stderr,
      /KServe makes the pods of InferenceService iris.*\n.*kubectl get pods -n models -l serving\.kserve\.io\/inferenceservice=iris -o yaml \| inference-logger inject -f -\n$/
    )
  })

  test('items of a List count one by one, and those of a PodList are pods without saying it', () => {
    const item = `- ${POD.replaceAll('\n', '\n  ')}\n`
    const list = `apiVersion: v1\nkind: PodList\nitems:\n${item.replace('metadata:', 'metadata:\n    name: a')}${item}`
    const { code, stdout, stderr } = run(list)
    assert.equal(code, 0)
    assert.equal(stderr.split('\n').filter(line => line.startsWith('injected')).length, 2)
    assert.match(stderr, /^injected {2}default\/Pod\/a /)
    const { items } = parse(stdout) as { items: { kind?: string; spec: Json }[] }
    assert.deepEqual(
      items.map(({ kind, spec }) => [kind, 'initContainers' in spec]),
      [
        [undefined, true],
        [undefined, true]
      ]
    )
    const nested = `kind: List\nitems:\n- ${list.trimEnd().replaceAll('\n', '\n  ')}\n- null\n- {kind: Service}\n`
    const entries = JSON.parse(run(nested, { report: 'json' }).stderr) as { kind: string; result: string }[]
    assert.deepEqual(
      entries.map(({ kind, result }) => `${kind} ${result}`),
      ['Pod inject', 'Pod inject', 'Service skip']
    )
  })
})

describe('the namespace', () => {
  const settings = { ...SETTINGS, ignoredNamespaces: ['closed'] }
  const codeOf = (text: string, namespace: string): number => run(text, { settings, namespace }).code
  const own = pod('p').replace('metadata:', 'metadata:\n  namespace: closed')

  test('is the object’s own, else the one that was given', () => {
    assert.equal(codeOf(pod('p'), 'open'), 0)
    assert.equal(codeOf(pod('p'), 'closed'), 3)
    assert.equal(codeOf(own, 'open'), 3)
    assert.match(run(own, { settings, namespace: 'open' }).stderr, /^skipped {3}closed\/Pod\/p {2}namespace_ignored: /)
  })
})

describe('exit codes', () => {
  test('0 when one of several gets the sidecar, 3 when none does', () => {
    assert.equal(run(`${pod('a', QUIET)}---\n${pod('b')}`).code, 0)
    assert.equal(run(`${pod('a', QUIET)}---\n${pod('b', QUIET)}`).code, 3)
  })

  test('0 when a pod has the sidecar already, and the output is the input', () => {
    const { stdout } = run(pod('a'))
    const again = run(stdout)
    assert.deepEqual([again.code, again.stdout], [0, stdout])
    assert.match(again.stderr, /already_injected/)
  })

  test('with 3 the output is the input, whatever is in it', () => {
    for (const text of [
      `# c\n${pod('a', QUIET)}...\n`,
      pod('a', QUIET).trimEnd(),
      pod('a', QUIET).replaceAll('\n', '\r\n')
    ]) {
      assert.deepEqual([run(text).code, run(text).stdout], [3, text])
    }
  })
})

describe('a pod that would be denied', () => {
  const wrong = pod('w').replace(
    'annotations:',
    'annotations:\n    inference-logger.io/topci: x\n    inference-logger.io/format: xml'
  )
  const files = { 'good.yaml': pod('g'), 'wrong.yaml': wrong }

  test('leaves standard output empty and the exit code 1, in every format', () => {
    for (const output of ['yaml', 'json', 'patch'] as const) {
      for (const report of ['text', 'json', 'none'] as const) {
        const { code, stdout } = run(files, { output, report })
        assert.deepEqual([code, stdout], [1, ''])
      }
    }
  })

  test('is in the report with all that is wrong, and its file below it', () => {
    const { stderr } = run(files)
    assert.match(
      stderr,
      /^injected {2}default\/Pod\/g .*\ndenied {4}default\/Pod\/w {2}invalid_annotation: .*topci.*\n +invalid_annotation: .*format="xml".*\n/
    )
    assert.match(stderr, /\ninference-logger: wrong\.yaml: default\/Pod\/w would be denied; nothing was printed\n$/)
  })

  test('is said without a report as well, a line for each mistake', () => {
    const lines = run(files, { report: 'none' }).stderr.trimEnd().split('\n')
    assert.equal(lines.length, 2)
    for (const line of lines)
      assert.match(line, /^inference-logger: wrong\.yaml: default\/Pod\/w would be denied: .*(?:topci|xml)/)
  })

  test('is in the JSON report, which stays JSON', () => {
    const entries = JSON.parse(run(files, { report: 'json' }).stderr) as Json[]
    assert.deepEqual(
      entries.map(({ file, result }) => [file, result]),
      [
        ['good.yaml', 'inject'],
        ['wrong.yaml', 'deny']
      ]
    )
  })
})

describe('the report', () => {
  const text = `${pod('a')}---\n${withTemplate('apps/v1', 'Deployment', TEMPLATE, QUIET)}---\nkind: Service\nmetadata: {generateName: s-}\n`

  test('as text has a line for each object with a pod, its reasons below each other, then its warnings', () => {
    const meshed = `${pod('a')}  - name: istio-proxy\n---\n${withTemplate('apps/v1', 'Deployment', TEMPLATE, `${QUIET}\n  hostNetwork: true`)}`
    const lines = run(meshed)
      .stderr.trimEnd()
      .split('\n')
      .map(line => line.slice(0, 52).trimEnd())
    assert.deepEqual(lines, [
      'injected  default/Pod/a          loopback_sink: the',
      '                                 warning: where Isti',
      'skipped   default/Deployment/it  host_network: the p',
      '                                 no_logger: the comp'
    ])
  })

  test('as JSON has every object', () => {
    const entries = JSON.parse(run({ 'f.yaml': text }, { report: 'json', namespace: 'n' }).stderr) as Json[]
    assert.deepEqual(
      entries.map(({ reasons, ...entry }) => ({ ...entry, codes: (reasons as Json[]).map(({ code }) => code) })),
      [
        {
          file: 'f.yaml',
          kind: 'Pod',
          namespace: 'n',
          name: 'a',
          result: 'inject',
          warnings: [],
          codes: ['loopback_sink']
        },
        {
          file: 'f.yaml',
          kind: 'Deployment',
          namespace: 'n',
          name: 'it',
          result: 'skip',
          warnings: [],
          codes: ['no_logger']
        },
        {
          file: 'f.yaml',
          kind: 'Service',
          namespace: 'n',
          name: 's-',
          result: 'skip',
          warnings: [],
          codes: ['not_a_pod']
        }
      ]
    )
  })

  test('can be none', () => {
    assert.equal(run(text, { report: 'none' }).stderr, '')
    assert.equal(run('kind: Service\n', { report: 'none' }).stderr, '')
  })
})

describe('output as JSON', () => {
  test('is the object where there is one, and a List without lists in it where there are several', () => {
    const { stdout } = run(pod('a'), { output: 'json' })
    assert.deepEqual(JSON.parse(stdout), parse(run(pod('a')).stdout))
    const several = `${pod('a')}---\n# nothing\n---\nkind: PodList\napiVersion: v1\nitems: [{metadata: {name: b}}]\n`
    const list = JSON.parse(run(several, { output: 'json' }).stdout) as Json & { items: Json[] }
    assert.deepEqual([list['apiVersion'], list['kind']], ['v1', 'List'])
    assert.deepEqual(
      list.items.map(({ apiVersion, kind }) => [apiVersion, kind]),
      [
        ['v1', 'Pod'],
        ['v1', 'Pod']
      ]
    )
  })

  test('has octal numbers, booleans and texts as kubectl reads them', () => {
    const spec = '  x: [0644, yes, "yes", 12:30, 2026-01-01, 1_0, ~]\n'
    const value = JSON.parse(run(pod('a') + spec, { output: 'json' }).stdout) as { spec: Json }
    assert.deepEqual(value.spec['x'], [420, true, 'yes', '12:30', '2026-01-01', 10, null])
  })

  test('refuses a number that JSON here would round', () => {
    const text = `${pod('a')}  x: 12345678901234567890\n`
    assert.deepEqual(mistakesOf(text, { output: 'json' }), [
      'it.yaml:12:6: the number 12345678901234567890 cannot be written exactly; use --output yaml'
    ])
    assert.match(run(text).stdout, /x: 12345678901234567890\n/)
  })
})

describe('input as JSON', () => {
  const value = parse(pod('a')) as Json

  for (const [what, text] of [
    ['indented by two', JSON.stringify(value, null, 2)],
    ['indented by tabs', `${JSON.stringify(value, null, '\t')}\n`],
    ['on one line', JSON.stringify(value)],
    [
      'with nothing to add to',
      JSON.stringify({ ...value, spec: { ...(value['spec'] as Json), initContainers: [], volumes: [] } }, null, 4)
    ]
  ] as const) {
    test(`${what} stays JSON, laid out as it is`, () => {
      const { stdout } = run(text)
      const meant = JSON.parse(run(text, { output: 'json' }).stdout) as Json
      assert.deepEqual(JSON.parse(stdout), meant)
      const indent = /\n([ \t]+)/.exec(text)?.[1]
      const end = text.endsWith('\n') ? '\n' : ''
      assert.equal(stdout, JSON.stringify(JSON.parse(stdout), null, indent) + end)
    })
  }
})

describe('several files', () => {
  const names = (text: string): unknown[] =>
    (parseAllDocuments(text) as { toJS(): { metadata: Json } | null }[]).map(
      document => document.toJS()?.metadata['name']
    )

  test('are one stream of documents, whatever each begins and ends with', () => {
    const { stdout } = run({
      'a.yaml': pod('a').trimEnd(),
      'b.yaml': `---\n${pod('b')}`,
      'c.yaml': `\uFEFF# c\n${pod('c')}`,
      'd.yaml': `%YAML 1.1\n---\n${pod('d')}...\n`,
      'e.json': JSON.stringify(parse(pod('e')))
    })
    assert.deepEqual(names(stdout), ['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual(
      (parseAllDocuments(stdout) as { errors: Error[] }[]).flatMap(({ errors }) => errors),
      []
    )
    assert.ok(!stdout.includes('\uFEFF'))
  })

  test('that are empty, or nothing but comments, are no mistake beside others', () => {
    assert.deepEqual(names(run({ 'a.yaml': '', 'b.yaml': pod('b') }).stdout).filter(Boolean), ['b'])
    assert.deepEqual(mistakesOf({ 'a.yaml': '', 'b.yaml': '# only this\n' }), ['a.yaml, b.yaml: there is no object'])
  })
})

describe('what does not parse', () => {
  test('is said with file, line and column, all at once', () => {
    const mistakes = mistakesOf({
      'a.yaml': 'kind: Pod\nkind: Pod\n---\nb: [1\n',
      'b.yaml': pod('fine'),
      'c.yaml': 'a: b: c\n',
      'd.json': '{"a": 1,, }'
    })
    assert.deepEqual(
      mistakes.map(line => line.replace(/: [A-Z].*/, '')),
      ['a.yaml:2:1', 'a.yaml:5:1', 'c.yaml:1:4', 'd.json:1:9']
    )
    assert.match(mistakes[0] ?? '', /^a\.yaml:2:1: Map keys must be unique$/)
  })

  test('includes documents that are no objects', () => {
    assert.deepEqual(mistakesOf(`${pod('a')}---\n- kind: Pod\n`), ['it.yaml:13:1: is no Kubernetes object'])
    assert.deepEqual(mistakesOf('just a text\n'), ['it.yaml:1:1: is no Kubernetes object'])
  })

  test('includes aliases that would grow without end', () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf'].map(pair => [...pair])) {
      lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${of}`).join()}]`)
    }
    assert.match(mistakesOf(lines.join('\n'))[0] ?? '', /^it\.yaml: .*alias/)
    assert.match(mistakesOf('a: *nowhere\n')[0] ?? '', /^it\.yaml.*nowhere/)
  })

  test('includes annotations and labels that are no text', () => {
    const text = pod('a')
      .replace('annotations:', 'annotations:\n    inference-logger.io/inject: true\n    odd: {}')
      .replace('iris}', 'iris, v: 1.5}')
    assert.deepEqual(mistakesOf(text), [
      'it.yaml:5:57: Pod a: the label v has to be text: "1.5", in quotes',
      'it.yaml:7:33: Pod a: the annotation inference-logger.io/inject has to be text: "true", in quotes',
      'it.yaml:8:10: Pod a: the annotation odd has to be text'
    ])
  })
})

describe('anchors and aliases', () => {
  const shared = (annotations: string, more = ''): string =>
    `${more}apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {serving.kserve.io/inferenceservice: iris}\n${annotations}\nspec:\n  containers:\n  - name: kserve-container\n`
  const sink = '{internal.serving.kserve.io/logger-sink-url: http://localhost:9480}'

  for (const [what, text, message] of [
    [
      'annotations that are an alias',
      shared('  annotations: *it', `other: &it ${sink}\n`),
      'it.yaml:7:16: Pod a: *it stands for what is written elsewhere and is not only this object’s'
    ],
    [
      'annotations whose anchor is used again',
      shared(`  annotations: &it ${sink}\nother: *it`),
      'it.yaml:6:20: Pod a: &it is used again in line 7 and would change there, too'
    ],
    [
      'a pod whose anchor is used again',
      `kind: List\nitems:\n- &it\n  ${pod('a').trimEnd().replaceAll('\n', '\n  ')}\n- *it\n`,
      'it.yaml:4:3: Pod a: &it is used again in line 15 and would change there, too'
    ],
    [
      'annotations from a merge key',
      shared('  <<: *it', `other: &it {annotations: ${sink}}\n`),
      'it.yaml:5:3: Pod a: annotations comes from a merge key (<<) and is not only this object’s'
    ]
  ] as const) {
    test(`${what} are refused with their place; as JSON they can be changed`, () => {
      assert.deepEqual(mistakesOf(text), [`${message}; write it out, or use --output json, which does`])
      const { code, stdout } = run(text, { output: 'json' })
      assert.equal(code, 0)
      assert.equal(stdout.split('"name": "inference-logger"').length - 1, what.startsWith('a pod') ? 2 : 1)
      assert.ok(!JSON.stringify((JSON.parse(stdout) as Json)['other'] ?? '').includes('status'))
    })
  }

  test('elsewhere in the file stay, and so does an anchor that nobody uses', () => {
    const text = shared(`  annotations: &unused ${sink}\nother: &x [1]\nanother: *x`)
    const { stdout } = run(text)
    assert.match(stdout, /annotations: &unused \{.*status.*\}\nother: &x \[1\]\nanother: \*x\n/)
  })

  test('a key of ours hides the one from a merge key, for this object alone', () => {
    const base = 'base: &base {terminationGracePeriodSeconds: 5}\n'
    const text = `${base}${shared(`  annotations: ${sink}`).replace('spec:\n', 'spec:\n  <<: *base\n')}`
    const { stdout } = run(text)
    assert.ok(stdout.startsWith(base))
    const value = parse(stdout, { merge: true }) as { spec: Json }
    assert.equal(value.spec['terminationGracePeriodSeconds'], 45)
  })
})

import { Document } from 'yaml'

/** How a file is laid out. */
export interface Style {
  /** Columns from a key to the keys of the map below it. */
  readonly step: number
  /** Columns from a key to the dashes of the list below it. */
  readonly dashes: number
}

/**
 * A value as lines of YAML in block style.
 * @param value a map or a list that is not empty
 */
export function blockLines(value: object, style: Style): string[] {
  if (Array.isArray(value)) return value.flatMap(item => itemLines(item, style))
  return Object.entries(value).flatMap(([key, child]) => pairLines(key, child, style))
}

/** A key and its value as lines of YAML in block style. */
export function pairLines(key: string, value: unknown, style: Style): string[] {
  const name = scalarText(key)
  if (!isFilled(value)) return [`${name}: ${scalarText(value)}`]
  return [`${name}:`, ...indented(blockLines(value, style), Array.isArray(value) ? style.dashes : style.step)]
}

/** An item of a list as lines of YAML in block style, the first with the dash. */
export function itemLines(value: unknown, style: Style): string[] {
  if (!isFilled(value)) return [`- ${scalarText(value)}`]
  const [first = '', ...others] = blockLines(value, style)
  return [`- ${first}`, ...indented(others, 2)]
}

/** A value on one line, with quotes where YAML needs them: `{name: x, args: [a]}`. */
export function flowText(value: unknown): string {
  if (!isFilled(value)) return flowScalar(value)
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`
  const pairs = Object.entries(value).map(([key, child]) => `${flowScalar(key)}: ${flowText(child)}`)
  return `{${pairs.join(', ')}}`
}

/** A scalar inside `{…}` or `[…]`, where some plain ones would end too early. */
export function flowScalar(value: unknown): string {
  const text = scalarText(value)
  return typeof value !== 'string' || /^["']/.test(text) || !/[,[\]{}]/.test(text) ? text : JSON.stringify(value)
}

/** JSON on one line, with a blank behind commas and colons. */
export function spacedJson(value: unknown): string {
  if (!isFilled(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`
  const pairs = Object.entries(value).map(([key, child]) => `${JSON.stringify(key)}: ${spacedJson(child)}`)
  return `{${pairs.join(', ')}}`
}

/**
 * A scalar, `{}` or `[]`, on one line. Texts that YAML 1.1 or 1.2 would take for something else get quotes: readers of
 * manifests differ in which of the two they follow.
 */
export function scalarText(value: unknown): string {
  // The last two are a merge key and a default value to YAML 1.1, which the library does not quote.
  if (typeof value !== 'string' || value === '<<' || value === '=') return JSON.stringify(value)
  const document = new Document(value, { version: '1.1', compat: 'core' })
  return document.toString({ lineWidth: 0, blockQuote: false }).trimEnd()
}

/** A scalar with the quotes of the one that it replaces, whose first character is given. */
export function scalarLike(quote: string | undefined, value: unknown): string {
  if (typeof value !== 'string') return flowScalar(value)
  if (quote === '"') return JSON.stringify(value)
  return quote === "'" && /^[\x20-\x7e]*$/.test(value) ? `'${value.replaceAll("'", "''")}'` : flowScalar(value)
}

/** True of a map or list with something in it. */
export function isFilled(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

export function indented(lines: readonly string[], columns: number): string[] {
  return lines.map(line => ' '.repeat(columns) + line)
}

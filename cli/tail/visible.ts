/**
 * Characters that could drive a terminal or hide text: control characters (C0, DEL, C1), line and paragraph separators,
 * and format characters such as the overrides of writing direction. Joiners stay: emoji and several scripts need them.
 */
// eslint-disable-next-line no-control-regex
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|(?![\u200c\u200d])\p{Cf}/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Makes text safe to print on a terminal, on one line: what could act instead of being seen becomes an escape. */
export function visible(text: string): string {
  return text.replace(DANGEROUS, character => {
    const code = character.codePointAt(0) ?? 0
    return (
      SHORT[character] ??
      (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16).padStart(4, '0')}}`)
    )
  })
}

/** Two columns: East Asian Wide and Fullwidth, and emoji (Unicode TR 11, to the block). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u

/** No column of its own: what combines with the character before it. */
const ZERO = /[\p{M}\u200c\u200d]/u

/** Columns that text takes on a terminal. */
export function widthOf(text: string): number {
  let columns = 0
  for (const character of text) columns += columnsOf(character)
  return columns
}

/**
 * Cuts text to a number of columns; `…` stands for what is gone.
 * @param columns at least 1; Infinity: the text stays
 */
export function cut(text: string, columns: number): string {
  if (text.length * 2 <= columns) return text
  let used = 0
  let fits = 0
  let at = 0
  for (const character of text) {
    used += columnsOf(character)
    if (used > columns) return `${text.slice(0, fits)}…`
    at += character.length
    if (used < columns) fits = at
  }
  return text
}

function columnsOf(character: string): number {
  if (character < '\u0300') return 1
  return ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1
}

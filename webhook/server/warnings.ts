/** What the API server passes on of a warning, and of all of them: it cuts, or leaves out, what is more. Characters. */
const MAX_WARNING = 256
const MAX_WARNINGS = 4096

/**
 * Makes warnings fit. They travel in HTTP headers: the API server throws away those with control characters.
 * @returns the first ones that fit, each in one line of at most 256 characters, 4096 together
 */
export function shortened(warnings: readonly string[]): string[] {
  const fitting: string[] = []
  let total = 0
  for (const warning of warnings) {
    const short = clip(warning.replace(/\p{Cc}+/gu, ' ').trim(), MAX_WARNING)
    const length = characters(short)
    if (length === 0) continue
    if (total + length > MAX_WARNINGS) break
    total += length
    fitting.push(short)
  }
  return fitting
}

/**
 * Shortens a text, with an ellipsis in the place of what is left out.
 * @param limit characters (code points), at least 1
 */
export function clip(text: string, limit: number): string {
  // As many UTF-16 units are no more characters.
  if (text.length <= limit) return text
  const all = [...text.toWellFormed()]
  return all.length <= limit ? text : `${all.slice(0, limit - 1).join('')}…`
}

function characters(text: string): number {
  return [...text].length
}

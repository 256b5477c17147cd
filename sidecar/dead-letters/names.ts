/** Name of the folder of dead letters in INFERENCE_LOGGER_JOURNAL_DIR. */
export const DEAD_LETTERS_FOLDER = 'dead-letters'

/** When the file was begun, in UTC, and a number where that is not enough: names sort by age. */
const NAME = /^(\d{8}T\d{6}\.\d{3}Z)-(\d{6})\.jsonl$/

/** Whether a file in the folder holds dead letters. */
export function isLetterFile(name: string): boolean {
  return NAME.test(name)
}

/**
 * The name of a new file: greater than every other, also when the clock was set back.
 * @param newest the greatest name there is; undefined: none
 * @param now ms since 1970
 */
export function nextName(newest: string | undefined, now: number): string {
  const stamp = new Date(now).toISOString().replace(/[-:]/g, '')
  const [, newestStamp = '', newestNumber = ''] = NAME.exec(newest ?? '') ?? []
  return stamp > newestStamp
    ? `${stamp}-000000.jsonl`
    : `${newestStamp}-${String(Number(newestNumber) + 1).padStart(6, '0')}.jsonl`
}

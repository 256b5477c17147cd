const FULL =
  'the volume of INFERENCE_LOGGER_JOURNAL_DIR is too small: it needs INFERENCE_LOGGER_JOURNAL_MAX_BYTES and INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES together; enlarge it, or lower these'
const FORBIDDEN =
  'INFERENCE_LOGGER_JOURNAL_DIR must belong to, or be writable for, the user that the container runs as (set the pod’s fsGroup)'

/** What to do about a directory or a disk, by the error's code. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EROFS: 'mount a writable volume at INFERENCE_LOGGER_JOURNAL_DIR (an emptyDir, for instance)',
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  ENOENT: 'the directory was removed, or cannot be made: mount a volume at INFERENCE_LOGGER_JOURNAL_DIR',
  ENOTDIR: 'INFERENCE_LOGGER_JOURNAL_DIR, or a folder above it, is a file: name a directory',
  EEXIST: 'INFERENCE_LOGGER_JOURNAL_DIR, or a folder in it, is a file: name a directory',
  ENAMETOOLONG: 'INFERENCE_LOGGER_JOURNAL_DIR is too long: name a shorter path',
  EIO: 'the disk fails: look at the node’s kernel log, and move the pod to another node',
  ESTALE: 'the volume is gone from under the process: restart the pod',
  EMFILE: 'too many open files: raise the container’s limit',
  ENFILE: 'too many open files on the node: raise its limit',
  JOURNAL_VERSION: 'the journal is not touched'
}

/**
 * What to do about an error of the file system or of the journal, to follow its message.
 * @returns text that begins with a colon; empty where there is no advice
 */
export function diskAdvice(code: string): string {
  const advice = ADVICE[code]
  return advice === undefined ? '' : `: ${advice}`
}

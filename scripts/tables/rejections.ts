import { STATUS } from '../../sidecar/receiver/replies.ts'
import { table } from './markdown.ts'

/** The table of reasons for which a request is not taken. */
export function rejectionsTable(): string {
  const rows = Object.entries(STATUS).sort(([a, x], [b, y]) => x - y || a.localeCompare(b))
  return table(
    ['status', 'reason'],
    rows.map(([reason, status]) => [String(status), `\`${reason}\``])
  )
}

import { reasons } from '../../webhook/decide/reasons.ts'
import { table } from './markdown.ts'

/** The table of reason codes, from the one that decisions name. */
export function reasonsTable(): string {
  return table(
    ['reason', 'meaning'],
    Object.entries(reasons).map(([code, meaning]) => [`\`${code}\``, meaning])
  )
}

import { annotations, type Annotation } from '../../webhook/annotations/table.ts'
import { table } from './markdown.ts'

/** The table of annotations, from the one that the webhook reads. */
export function annotationsTable(): string {
  return table(
    ['annotation', 'default', 'allowed', 'meaning', 'variable of the sidecar'],
    Object.entries(annotations as Readonly<Record<string, Annotation>>).map(([name, annotation]) => [
      `\`${name}\``,
      annotation.default === undefined ? '' : `\`${annotation.default}\``,
      annotation.allowed ? 'yes' : 'no',
      annotation.doc,
      annotation.variable === undefined ? '' : `\`${annotation.variable}\``
    ])
  )
}

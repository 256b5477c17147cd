import { settingRows } from '../../webhook/settings/rows.ts'
import { table } from './markdown.ts'

/** The table of the webhook's settings, from the schema that validates them. */
export function webhookSettingsTable(): string {
  return table(
    ['setting', 'default', 'meaning'],
    settingRows().map(({ path, required, default: fallback, doc }) => [
      `\`${path}\``,
      required ? '**required**' : fallback === undefined ? '' : `\`${fallback}\``,
      doc
    ])
  )
}

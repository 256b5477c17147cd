import { variables, type Variable } from '../../sidecar/config/variables.ts'
import { table } from './markdown.ts'

/** The table of settings, from the one that the parser reads. */
export function settingsTable(): string {
  return table(
    ['variable', 'default', 'meaning'],
    Object.values(variables as Record<string, Variable<unknown>>).map(variable => [
      `\`${variable.name}\``,
      defaultOf(variable),
      variable.doc
    ])
  )
}

function defaultOf(variable: Variable<unknown>): string {
  if (variable.required) return '**required**'
  if (typeof variable.default === 'object') {
    return `\`${variable.default.sidecar}\`; gateway: \`${variable.default.gateway}\``
  }
  return variable.default === undefined || variable.default === '' ? '' : `\`${variable.default}\``
}

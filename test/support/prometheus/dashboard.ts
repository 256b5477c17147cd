import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { packageRoot } from '../../../cli/demo/package-root.ts'

/** A query of a panel. */
export interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
  readonly instant: boolean
}

/** A threshold, or the colour below the first. */
export interface Step {
  readonly color: string
  readonly value: number | null
}

/** What Grafana calls the options of a field. */
export interface FieldDefaults {
  readonly unit: string
  readonly decimals?: number
  readonly min?: number
  readonly max?: number
  readonly noValue?: string
  readonly thresholds: { readonly steps: readonly Step[] }
  readonly mappings: readonly { readonly options: Readonly<Record<string, { text: string; color: string }>> }[]
  readonly custom?: {
    readonly drawStyle?: 'line' | 'bars'
    readonly fillOpacity?: number
    readonly lineInterpolation?: string
    readonly stacking?: { readonly mode: string }
    readonly scaleDistribution?: { readonly type: string }
    readonly thresholdsStyle?: { readonly mode: string }
  }
}

/** A change of the options for some fields. */
export interface Override {
  readonly matcher: { readonly id: string; readonly options: string }
  readonly properties: readonly { readonly id: string; readonly value: unknown }[]
}

/** A panel, as far as it is read here. */
export interface Panel {
  readonly id: number
  readonly type: 'row' | 'stat' | 'timeseries' | 'table'
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly (Target & { readonly datasource: { readonly uid: string } })[]
  readonly fieldConfig?: { readonly defaults: FieldDefaults; readonly overrides: readonly Override[] }
  readonly transformations?: readonly { readonly id: string; readonly options: Readonly<Record<string, unknown>> }[]
}

/** The dashboard, as far as it is read here. */
export interface Dashboard {
  readonly title: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] }
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[]
  }
}

/** A rule of a rule file. */
export interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const files = (): string => join(packageRoot(), 'charts', 'inference-logger', 'files')

/** Path of the dashboard. */
export const dashboardFile = (): string => join(files(), 'dashboards', 'inference-logger.json')
/** Path of the rules. */
export const rulesFile = (): string => join(files(), 'rules', 'inference-logger.yaml')

/** Reads the chart's dashboard. */
export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(dashboardFile(), 'utf8')) as Dashboard
}

/** Reads the chart's rules. */
export function readRules(): Rule[] {
  const { groups } = parse(readFileSync(rulesFile(), 'utf8')) as { groups: { rules: Rule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

/** What Grafana puts in for variables: everything is chosen. */
export function interpolate(
  expression: string,
  { rateInterval, range }: { readonly rateInterval: string; readonly range: string }
): string {
  return expression
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$__range', range)
    .replaceAll(/\$(?:namespace|inferenceservice|pod)\b/g, '.*')
}

/** Of programs that are not ours, as far as they are asked for. */
const OTHERS = /^(?:process|nodejs|kube|apiserver)_|^up$/

/**
 * The selectors of an expression, with their matchers and without offsets and ranges; of a name alone, the name.
 * @param expression PromQL
 */
export function selectorsIn(expression: string): string[] {
  const found = [...expression.matchAll(/(?<![\w:$."{])([a-z_:][\w:]*)(\{[^}]*\})?/gi)]
  return found.flatMap(([selector, name = '']) => (isMetric(name) ? [selector] : []))
}

/** Whether a word of PromQL is a metric that this project may ask for: ours, or one of those that it needs from others. */
export function isMetric(name: string): boolean {
  return /^(?:inference_logger|rdkafka)_/.test(name) || OTHERS.test(name)
}

import { inject, type InjectInput, type InjectOutcome } from '../../../cli/inject/run.ts'
import { reviewPod } from '../../../webhook/review-pod.ts'
import { SETTINGS } from '../../webhook/pods.ts'

/** What a pod of KServe's with a sidecar to come has, indented by nothing. */
export const POD = `metadata:
  labels: {serving.kserve.io/inferenceservice: iris}
  annotations:
    internal.serving.kserve.io/logger-sink-url: http://localhost:9480
spec:
  containers:
  - name: kserve-container
    image: example/iris:1`

/** The same, without a logger. */
export const QUIET = POD.replace(/ {2}annotations:\n.*\n/, '')

/** An object with a pod's template. */
export function withTemplate(apiVersion: string, kind: string, path: readonly string[], pod = POD): string {
  const lines = path.map((key, index) => `${' '.repeat(index * 2)}${key}:`)
  const template = pod.split('\n').map(line => ' '.repeat(path.length * 2) + line)
  return [`apiVersion: ${apiVersion}`, `kind: ${kind}`, 'metadata: {name: it}', ...lines, ...template, ''].join('\n')
}

/** A pod with a name. */
export function pod(name: string, text = POD): string {
  return `apiVersion: v1\nkind: Pod\n${text.replace('metadata:', `metadata:\n  name: ${name}`)}\n`
}

/** `inject` in this process, with texts as files. */
export function run(
  texts: string | Readonly<Record<string, string>>,
  options: Partial<InjectInput> = {}
): InjectOutcome {
  const files = typeof texts === 'string' ? { 'it.yaml': texts } : texts
  return inject({
    sources: Object.entries(files).map(([file, text]) => ({ file, text })),
    reviewPod,
    settings: SETTINGS,
    namespace: 'default',
    output: 'yaml',
    report: 'text',
    ...options
  })
}

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parse, parseAllDocuments, stringify } from 'yaml'

type Json = Record<string, unknown>

/** A pod, as far as these tests look at it. */
export interface Pod extends Json {
  metadata: Json & { annotations?: Record<string, string> }
  spec: Json & { containers: Json[]; initContainers?: Json[]; volumes?: Json[] }
}

/** A pod that comes to the webhook, and where what is expected of it is. */
export interface PodCase {
  readonly name: string
  readonly pod: Pod
  readonly namespace: string
  /** The whole AdmissionReview. */
  readonly review: Json
  readonly settings: string
}

/** A file of manifests for `inject`. */
export interface ManifestCase {
  readonly name: string
  readonly file: string
  readonly text: string
  readonly settings: string
}

const FOLDER = resolve('test/webhook/golden')
const FIXTURES = resolve('test/fixtures/admission')
const UPDATE = process.env['UPDATE_GOLDEN'] === '1'

/** AdmissionReviews that a real API server sent, and pods made by hand, whose AdmissionReviews are made like those. */
export const podCases: readonly PodCase[] = [
  ...filesIn(FIXTURES, '.json').map(file => {
    const review = JSON.parse(readFileSync(file, 'utf8')) as { request: { object: Pod; namespace: string } } & Json
    return podCase(basename(file, '.json'), review.request.object, review.request.namespace, review)
  }),
  ...filesIn(join(FOLDER, 'pods'), '.input.yaml').map(file => {
    const pod = parse(readFileSync(file, 'utf8')) as Pod
    return podCase(basename(file, '.input.yaml'), pod, 'models', reviewOf(pod, 'models'))
  })
]

export const manifestCases: readonly ManifestCase[] = filesIn(join(FOLDER, 'manifests'), '.input.yaml').map(file => {
  const name = basename(file, '.input.yaml')
  return { name, file, text: readFileSync(file, 'utf8'), settings: settingsOf(`manifests/${name}`) }
})

function podCase(name: string, pod: Pod, namespace: string, review: Json): PodCase {
  return { name, pod, namespace, review, settings: settingsOf(`pods/${name}`) }
}

/** What the API server sends about a pod. */
export function reviewOf(pod: unknown, namespace: string): Json {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '6c3f8a6e-0d3b-4f39-8d0b-2f6f4a1c7e55',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      namespace,
      operation: 'CREATE',
      dryRun: false,
      object: pod
    }
  }
}

/** Compares with a golden file, or writes it with UPDATE_GOLDEN=1. @param name below test/webhook/golden */
export function assertGolden(name: string, actual: string): void {
  const file = join(FOLDER, name)
  if (UPDATE) writeFileSync(file, actual)
  assert.ok(existsSync(file), `${file} is missing: look at what UPDATE_GOLDEN=1 writes`)
  const [expectedLines, actualLines] = [readFileSync(file, 'utf8'), actual].map(text => text.split('\n')) as [
    string[],
    string[]
  ]
  const first = actualLines.findIndex((line, index) => line !== expectedLines[index])
  if (first === -1 && actualLines.length === expectedLines.length) return
  const from = first === -1 ? actualLines.length : first
  const shown = (lines: readonly string[]): string => lines.slice(from, from + 5).join('\n')
  assert.fail(
    `${file} differs from line ${from + 1} on (UPDATE_GOLDEN=1 rewrites it)\n--- expected\n${shown(expectedLines)}\n--- actual\n${shown(actualLines)}`
  )
}

/** What people read of a pod: nothing that only managers of fields need. */
export function readable({ metadata, spec }: Pod): Pick<Pod, 'metadata' | 'spec'> {
  const { managedFields: _, ...shown } = metadata
  return { metadata: shown, spec }
}

/** A pod as YAML. */
export function podText(pod: Pod): string {
  return stringify(readable(pod), { lineWidth: 0 })
}

/** Golden files, below test/webhook/golden, that this run would write. */
export function goldenFiles(): string[] {
  return ['pods', 'manifests'].flatMap(folder =>
    readdirSync(join(FOLDER, folder))
      .filter(file => !/\.(?:input|settings)\.yaml$/.test(file))
      .map(file => `${folder}/${file}`)
  )
}

/** The pods of a text's objects, templates' ones too; of what has none, none. Not for lists of one kind. */
export function podsOf(text: string): Pod[] {
  const documents = parseAllDocuments(text, { version: '1.1', merge: true })
  return (Array.isArray(documents) ? documents : []).flatMap(document => podsIn(document.toJS() as Json | null))
}

function podsIn(object: Json | null): Pod[] {
  if (object === null) return []
  if (Array.isArray(object['items'])) return object['items'].flatMap(item => podsIn(item as Json))
  if (object['kind'] === 'Pod') return [object as Pod]
  const spec = object['spec'] as { template?: Json; jobTemplate?: { spec: { template: Json } } } | undefined
  const template = object['template'] ?? spec?.jobTemplate?.spec.template ?? spec?.template
  return template === undefined ? [] : [{ apiVersion: 'v1', kind: 'Pod', ...(template as Json) } as unknown as Pod]
}

function settingsOf(name: string): string {
  const own = join(FOLDER, `${name}.settings.yaml`)
  return readFileSync(existsSync(own) ? own : join(FOLDER, 'settings.yaml'), 'utf8')
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(folder)
    .filter(file => file.endsWith(ending))
    .sort()
    .map(file => join(folder, file))
}

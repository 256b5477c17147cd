import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { applied } from './apply.ts'
import { manifestCases, podCases, reviewOf, type Pod } from './cases.ts'
import { Endpoint, injected } from './ways.ts'

type Json = Record<string, unknown>

/** Cases that stand for all: native and not, with a mesh, and with all that settings can add. */
const MUTATED = ['every-setting', 'knative-istio-native', 'logger-localhost', 'old-kubernetes']

/** What other webhooks, and people, do to a pod that has the sidecar. */
const mutations: Readonly<Record<string, (pod: Pod, sidecar: Json) => void>> = {
  nothing: () => {},
  'a volume': ({ spec }) => void spec.volumes?.unshift({ name: 'token', projected: { sources: [] } }),
  'a variable and a mount in our container': (_, sidecar) => {
    ;(sidecar['env'] as Json[]).unshift({ name: 'HTTP_PROXY', value: 'http://proxy' })
    ;(sidecar['volumeMounts'] as Json[]).push({ name: 'token', mountPath: '/var/run/token' })
  },
  'our image, from a mirror': (_, sidecar) => void (sidecar['image'] = 'mirror.example/inference-logger:1.0.0'),
  'our resources and our security context': (_, sidecar) => {
    sidecar['resources'] = { limits: { cpu: '2' } }
    delete sidecar['securityContext']
  },
  'the order of containers': ({ spec }) => {
    spec.containers.reverse()
    spec.initContainers?.reverse()
  },
  'containers before and behind ours': ({ spec }) => {
    spec.containers.push({ name: 'istio-proxy', image: 'istio/proxyv2:1.27' })
    spec.initContainers = [{ name: 'istio-init' }, ...(spec.initContainers ?? []), { name: 'late' }]
  },
  'the annotations of ours that say what was done': ({ metadata }) => {
    const { annotations = {} } = metadata
    for (const name of ['status', 'original-termination-grace-period-seconds'])
      delete annotations[`inference-logger.io/${name}`]
  },
  'the grace period': ({ spec }) => void (spec['terminationGracePeriodSeconds'] = 10),
  'what no Kubernetes knows': pod => {
    pod['future'] = { a: 1 }
    pod.spec['future'] = [null]
  }
}

test('a pod that has the sidecar is left as it is, whatever became of it since', async t => {
  const endpoint = new Endpoint(t)
  const seen = new Set<string>()
  for (const { name, pod, namespace, review, settings } of podCases) {
    const first = await endpoint.review(review, settings)
    const admitted = applied(pod, first.operations) as Pod
    const ours = (candidate: Pod): Json | undefined =>
      [...candidate.spec.containers, ...(candidate.spec.initContainers ?? [])].find(
        ({ name: its, args }) => its === 'inference-logger' && JSON.stringify(args) === '["sidecar"]'
      )
    if (!ours(admitted)) continue
    seen.add(name)
    for (const [what, mutate] of Object.entries(mutations)) {
      if (what !== 'nothing' && !MUTATED.includes(name)) continue
      const mutated = structuredClone(admitted)
      const sidecar = ours(mutated)
      assert.ok(sidecar)
      mutate(mutated, sidecar)
      const second = await endpoint.review(reviewOf(mutated, namespace), settings)
      assert.deepEqual(second.operations, [], `${name}: ${what}`)
      assert.deepEqual(second.auditAnnotations, { result: 'skip', reasons: 'already_injected' }, `${name}: ${what}`)
    }
    const text = stringify({ ...admitted, metadata: { ...admitted.metadata, namespace } })
    const { code, stdout } = injected(text, settings)
    assert.deepEqual([code, stdout], [0, text], name)
  }
  assert.ok(seen.size >= 9, [...seen].join())
})

test('a note about a skip is not written again', async t => {
  const endpoint = new Endpoint(t)
  for (const { name, pod, namespace, review, settings } of podCases) {
    const first = await endpoint.review(review, settings)
    if (first.auditAnnotations?.['result'] !== 'skip') continue
    const noted = applied(pod, first.operations) as Pod
    const second = await endpoint.review(reviewOf(noted, namespace), settings)
    assert.deepEqual([second.operations, second.auditAnnotations], [[], first.auditAnnotations], name)
  }
})

test('a note about a skip, copied into a template, is overwritten by what is true', async t => {
  const endpoint = new Endpoint(t)
  const noted = structuredClone(podCases.find(({ name }) => name === 'no-logger')) ?? assert.fail()
  const { pod, namespace, settings } = noted
  const skipped = await endpoint.review(noted.review, settings)
  const again = applied(pod, skipped.operations) as Pod
  Object.assign(again.metadata.annotations ?? {}, { 'inference-logger.io/inject': 'true' })
  const { operations, auditAnnotations } = await endpoint.review(reviewOf(again, namespace), settings)
  assert.equal(auditAnnotations?.['result'], 'inject')
  const status = operations.filter(({ path }) => path === '/metadata/annotations/inference-logger.io~1status')
  assert.deepEqual(
    status.map(({ op, value }) => [op, (JSON.parse(value as string) as Json)['result']]),
    [['add', 'inject']]
  )
})

test('manifests that have the sidecar are printed as they came', () => {
  for (const { name, text, settings } of manifestCases) {
    const first = injected(text, settings)
    const second = injected(first.stdout, settings)
    assert.deepEqual([second.code, second.stdout], [0, first.stdout], name)
    assert.match(second.stderr, /^skipped +\S+ +already_injected/m, name)
  }
})

test('fields that nobody here knows survive, wherever they are', async t => {
  const endpoint = new Endpoint(t)
  for (const { name, pod, namespace, review, settings } of podCases) {
    const plain = await endpoint.review(review, settings)
    const odd = withUnknown(pod) as Pod
    const answer = await endpoint.review(reviewOf(odd, namespace), settings)
    assert.deepEqual(answer.operations, plain.operations, name)
    assert.deepEqual(applied(odd, answer.operations), withUnknownOf(odd, applied(pod, plain.operations)), name)
  }
})

/** The value with a field of every type in each object, but in maps of labels and the like, whose keys are anybody's. */
function withUnknown(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map(item => withUnknown(item))
  if (typeof value !== 'object' || value === null) return value
  const inner = Object.fromEntries(Object.entries(value).map(([name, child]) => [name, withUnknown(child, name)]))
  const isMap =
    /^(?:annotations|labels|limits|requests|fieldsV1|matchLabels|nodeSelector)$/.test(key) || key.startsWith('f:')
  return isMap ? inner : { ...inner, 'x-unknown': { list: [1.5, null, 'x', true], empty: {} } }
}

/** What has to come out: what is new has no unknown fields, and everything that was there still has its own. */
function withUnknownOf(before: unknown, after: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(after)) {
    const rest = [...(before as unknown[])]
    return after.map((item: unknown) => (nameOf(item) === nameOf(rest[0]) ? withUnknownOf(rest.shift(), item) : item))
  }
  if (typeof before !== 'object' || before === null || typeof after !== 'object' || after === null) return after
  const merged = Object.entries(after).map(([key, child]) => [
    key,
    withUnknownOf((before as Json)[key], child as unknown)
  ])
  const unknown = (before as Json)['x-unknown']
  return { ...Object.fromEntries(merged), ...(unknown === undefined ? {} : { 'x-unknown': unknown }) }
}

function nameOf(item: unknown): unknown {
  return typeof item === 'object' && item !== null
    ? ((item as Json)['name'] ?? JSON.stringify(Object.keys(item)[0]))
    : item
}

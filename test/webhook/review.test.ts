import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { applyPatch } from 'rfc6902'
import { packageRoot } from '../../cli/demo/package-root.ts'
import { annotations, PREFIX } from '../../webhook/annotations/table.ts'
import { CONTAINER, VOLUMES } from '../../webhook/decide/ours.ts'
import { reasons } from '../../webhook/decide/reasons.ts'
import { reviewPod } from '../../webhook/review-pod.ts'
import type { Review } from '../../webhook/review.ts'
import { loadSettings } from '../../webhook/settings/load.ts'
import { objectionsTo } from './objections.ts'

type Json = Record<string, unknown>
interface Pod extends Json {
  metadata: Json & { annotations?: Json }
  spec: Json & { containers: Json[]; initContainers?: Json[]; volumes?: Json[] }
}

const GRACE = '/spec/terminationGracePeriodSeconds'
const STATUS = `${PREFIX}status`
const ORIGINAL_GRACE = `${PREFIX}original-termination-grace-period-seconds`

/** Settings as administrators have them, through the loader itself. */
const SETTINGS = [
  'image: a\nkafka: {brokers: "k:1"}',
  `image: registry.example/a:1
imagePullSecrets: [ours, theirs]
kubernetesVersion: 1.28
kafka: {brokers: "k:1", configSecret: {name: s}, ca: {configMap: c}, config: {linger.ms: 5}}
defaults: {journal-volume: fast, memory-limit: 1Gi, topic-partitions: 3}
annotations: {allow: [brokers, image, kafka-config-secret], forbid: [topic]}
journal: {claimTemplates: {fast: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}, fsGroup: 65532}
gracePeriod: {agentDrain: 5m, flush: 1m}
securityContext: {runAsUser: 1000, runAsGroup: 0}
env: {INFERENCE_LOGGER_MAX_CONNECTIONS: 10, NODE_EXTRA_CA_CERTS: /etc/ca.crt}`,
  'image: a\nkafka: {brokers: "k:1"}\nport: 2000\nannotations: {onMistake: skip}\ngracePeriod: {raise: false}\ndefaults: {native-sidecar: never}'
].map(text => loadSettings(text))

const fixtures: readonly Pod[] = (() => {
  const folder = join(packageRoot(), 'test/fixtures/admission')
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => {
      const { request } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { request: { object: Pod } }
      return request.object
    })
})()

/** Those whose events go to loopback. */
const loopback = fixtures.filter(({ spec }) => /"http:\/\/localhost:9480/.test(JSON.stringify(spec)))

/** Fields of a future Kubernetes, or of nobody. */
const unknownFields = fc.dictionary(
  fc.constantFrom('x-new', 'resizePolicy2', 'a/b~c', ''),
  fc.jsonValue({ maxDepth: 2 }),
  {
    maxKeys: 2
  }
)
const name = fc.constantFrom('a', 'b', 'c', 'agent', 'queue-proxy', 'istio-proxy', 'worker-container', CONTAINER)
const container = fc
  .tuple(
    fc.record(
      {
        image: fc.constant('an-image'),
        args: fc.constantFrom(
          ['sidecar'],
          ['--log-url', 'http://localhost:9480'],
          ['--log-url=http://127.0.0.1:1999', 'x'],
          []
        ),
        ports: fc.constantFrom(
          [{ containerPort: 8080 }],
          [{ containerPort: 9480 }],
          [{ name: 'il-metrics', containerPort: 9481 }]
        ),
        restartPolicy: fc.constantFrom('Always', 'Never'),
        env: fc.constant([{ name: 'A', value: 'b' }]),
        securityContext: fc.constant({ runAsUser: 0 })
      },
      { requiredKeys: ['image'] }
    ),
    unknownFields
  )
  .map(([known, unknown]): Json => ({ ...unknown, ...known }))
const containers = (min: number): fc.Arbitrary<Json[]> =>
  fc
    .uniqueArray(name, { minLength: min, maxLength: 4 })
    .chain(names => fc.tuple(...names.map(each => container.map(rest => ({ name: each, ...rest })))))
/** Annotations that are right whatever the settings; and others, of which the administrator or the parser thinks otherwise. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  inject: ['true'],
  format: ['structured'],
  durability: ['fsync'],
  'journal-volume': ['emptydir'],
  'journal-max-bytes': ['1Gi'],
  'max-event-bytes': ['1Mi'],
  'native-sidecar': ['auto', 'always', 'never'],
  'cpu-request': ['1', '2', '10m'],
  'memory-limit': ['64Mi', '2Gi'],
  'termination-grace-period-seconds': ['10', '600', '86400'],
  status: ['{}'],
  'original-termination-grace-period-seconds': ['1']
}
const DOUBTFUL: Readonly<Record<string, readonly string[]>> = {
  inject: ['false', 'yes'],
  topic: ['a', 'not a topic'],
  durability: ['jornal'],
  'journal-volume': ['fast', 'none'],
  'journal-max-bytes': ['1Mi'],
  'max-event-bytes': ['200Mi'],
  'cpu-request': ['x'],
  'memory-request': ['1Gi'],
  brokers: ['k:2'],
  'kafka-config-secret': ['mine'],
  image: ['mine', 'not one'],
  topicc: ['a']
}
const from = (values: Readonly<Record<string, readonly string[]>>, maxLength: number): fc.Arbitrary<Json> =>
  fc
    .uniqueArray(fc.constantFrom(...Object.keys(values)), { maxLength })
    .chain(keys =>
      fc.tuple(...keys.map(key => fc.constantFrom(...(values[key] ?? [])).map(value => [PREFIX + key, value] as const)))
    )
    .map(entries => Object.fromEntries(entries))
const ownAnnotations = fc.oneof(
  { weight: 2, arbitrary: from(RIGHT, 3) },
  {
    weight: 1,
    arbitrary: fc.tuple(from(RIGHT, 2), from(DOUBTFUL, 2)).map(([right, doubtful]) => ({ ...right, ...doubtful }))
  }
)
const otherAnnotations = fc.dictionary(
  fc.constantFrom(
    'internal.serving.kserve.io/logger',
    'internal.serving.kserve.io/logger-sink-url',
    'kubernetes.io/config.mirror',
    'x'
  ),
  fc.constantFrom('true', 'http://localhost:9480', 'http://localhost:9481', 'https://localhost', 'http://broker', '')
)
/** What pods have beside containers. */
const more = fc.record(
  {
    volumes: fc.constantFrom(
      [],
      [{ name: 'v', emptyDir: {} }],
      [{ name: 'w', emptyDir: {} }],
      [{ name: VOLUMES.journal, emptyDir: {} }]
    ),
    terminationGracePeriodSeconds: fc.constantFrom(0, 10, 30, 300, 86_400, 1_000_000),
    hostNetwork: fc.constantFrom(false, false, false, false, true),
    imagePullSecrets: fc.constantFrom([], [{ name: 'theirs' }]),
    securityContext: fc.constantFrom({}, { runAsUser: 0 }, { fsGroup: 1, x: 'y' }),
    os: fc.constantFrom({ name: 'linux' }, { name: 'linux' }, { name: 'linux' }, { name: 'linux' }, { name: 'windows' })
  },
  { requiredKeys: [] }
)
const generated = fc
  .record({
    top: unknownFields,
    metadata: unknownFields,
    labels: fc.constantFrom(
      { 'serving.kserve.io/inferenceservice': 'iris' },
      { 'serving.kubeflow.org/inferenceservice': 'iris' },
      {}
    ),
    annotations: fc.option(
      fc.tuple(otherAnnotations, ownAnnotations).map(([other, own]): Json => ({ ...other, ...own }))
    ),
    spec: unknownFields,
    containers: containers(1),
    initContainers: fc.option(containers(0)),
    more: fc.oneof(fc.constant({}), more)
  })
  .map(({ top, metadata, labels, annotations: own, spec, containers: all, initContainers, more }) => {
    // Names are unique in a pod, whatever the list.
    const taken = new Set(all.map(each => each['name']))
    const init = initContainers?.filter(each => !taken.has(each['name']))
    return {
      ...top,
      kind: 'Pod',
      metadata: { ...metadata, labels, ...(own === null ? {} : { annotations: own }) },
      spec: { ...spec, ...more, containers: all, ...(init === undefined ? {} : { initContainers: init }) }
    } as unknown as Pod
  })
/** Captured pods with annotations of ours: most of them get the sidecar. */
const captured = fc
  .tuple(
    fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(...fixtures) },
      { weight: 4, arbitrary: fc.constantFrom(...loopback) }
    ),
    ownAnnotations,
    unknownFields,
    more
  )
  .map(([pod, own, unknown, some]): Pod => ({
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...own } },
    spec: { ...unknown, ...pod.spec, ...some, volumes: [...(pod.spec.volumes ?? []), ...(some.volumes ?? [])] }
  }))
const pods = fc.oneof({ weight: 3, arbitrary: captured }, { weight: 1, arbitrary: generated })
const settings = fc.constantFrom(...SETTINGS)

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}

function patched(pod: Pod, { patch }: Review): Pod {
  const copy = structuredClone(pod)
  assert.deepEqual(
    applyPatch(copy, structuredClone(patch) as Parameters<typeof applyPatch>[1]).filter(error => error !== null),
    []
  )
  return copy
}

function every(check: (pod: Pod, review: Review, settings: (typeof SETTINGS)[number]) => void): void {
  fc.assert(
    fc.property(pods, settings, (pod, chosen) => {
      const review = reviewPod({ pod: frozen(pod), namespace: 'models', settings: chosen })
      check(pod, review, chosen)
    }),
    { numRuns: 80 }
  )
}

describe('whatever pod, annotations and settings', () => {
  test('the second review changes nothing', () => {
    every((pod, first, chosen) => {
      const once = patched(pod, first)
      const { report, patch } = reviewPod({ pod: frozen(once), namespace: 'models', settings: chosen })
      assert.deepEqual(patch, [])
      if (first.report.result === 'inject')
        assert.deepEqual(
          report.reasons.map(({ code }) => code),
          ['already_injected']
        )
      else assert.deepEqual(report, first.report)
    })
  })

  test('something is only added, but for a grace period that is raised', () => {
    every((pod, { patch, report }) => {
      const before = pod.spec['terminationGracePeriodSeconds']
      for (const operation of patch) {
        const { op, path } = operation
        const raises = path === GRACE && typeof before === 'number'
        assert.equal(op, raises ? 'replace' : 'add', path)
        if (raises) assert.ok((operation as { value: number }).value > before)
        assert.ok(path.startsWith('/metadata/annotations') || path.startsWith('/spec/'), path)
      }
      if (report.result !== 'inject') {
        for (const { path } of patch) assert.ok(path.startsWith('/metadata/annotations'), path)
      }
      if (report.result === 'deny') assert.deepEqual(patch, [])
    })
  })

  test('the first container stays the first, as it is, and everything else of the pod too', () => {
    every((pod, review) => {
      const result = patched(pod, review)
      assert.deepEqual(result.spec.containers[0], pod.spec.containers[0])
      if (review.report.reasons.some(({ code }) => code === 'restart_policy_restored')) return
      assert.deepEqual(withoutOurs(result, pod), withoutOurs(pod, pod))
    })
  })

  test('Kubernetes takes the pod that comes of it', () => {
    let injected = 0
    every((pod, review) => {
      const result = patched(pod, review)
      const before = objectionsTo(pod)
      assert.deepEqual(
        objectionsTo(result).filter(objection => !before.includes(objection)),
        []
      )
      if (review.report.result === 'inject') injected += 1
    })
    assert.ok(injected > 5, `only ${injected} were injected`)
  })

  test('there is always a reason that is known, with a sentence; and a denial names annotations only', () => {
    every((_pod, { report }) => {
      assert.ok(report.reasons.length > 0)
      for (const { code, message } of report.reasons) {
        assert.ok(Object.hasOwn(reasons, code) && message.length > 10, code)
        if (report.result === 'deny') assert.ok(code === 'invalid_annotation' && message.startsWith(PREFIX), message)
      }
    })
  })

  test('the same question has the same answer', () => {
    every((pod, review, chosen) => {
      assert.deepEqual(reviewPod({ pod, namespace: 'models', settings: chosen }), review)
    })
  })
})

/** A pod without what the webhook may add to one. */
function withoutOurs(pod: Pod, original: Pod): Json {
  const { metadata, spec, ...top } = structuredClone(pod)
  const own = { ...metadata.annotations }
  delete own[STATUS]
  delete own[ORIGINAL_GRACE]
  const rest: Json = { ...spec }
  for (const key of [
    'containers',
    'initContainers',
    'volumes',
    'imagePullSecrets',
    'securityContext',
    'terminationGracePeriodSeconds'
  ]) {
    delete rest[key]
  }
  const others = (list: Json[] | undefined, names: readonly string[]): Json[] =>
    (list ?? []).filter(each => !names.includes(String(each['name'])))
  return {
    top,
    metadata: { ...metadata, annotations: own },
    rest,
    containers: others(spec.containers, [CONTAINER]),
    initContainers: others(spec.initContainers, [CONTAINER]),
    volumes: others(spec.volumes, Object.values(VOLUMES)),
    imagePullSecrets: ((spec['imagePullSecrets'] ?? []) as Json[]).slice(
      0,
      ((original.spec['imagePullSecrets'] ?? []) as Json[]).length
    ),
    securityContext: {
      ...(spec['securityContext'] as Json | undefined),
      ...('fsGroup' in ((original.spec['securityContext'] ?? {}) as Json) ? {} : { fsGroup: 0 })
    }
  }
}

describe('whatever JSON', () => {
  const words = fc.constantFrom(
    'kind',
    'Pod',
    'metadata',
    'spec',
    'containers',
    'initContainers',
    'volumes',
    'name',
    'args',
    'ports',
    'annotations',
    'labels',
    'agent',
    CONTAINER,
    ...Object.keys(annotations).map(each => PREFIX + each),
    '__proto__',
    'constructor',
    'toString'
  )
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 6, depthSize: 'medium' },
      fc.jsonValue({ maxDepth: 1 }),
      words,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.array(fc.tuple(words, tie('tree')), { maxLength: 5 }).map(entries => Object.fromEntries(entries) as unknown)
    )
  }))
  const shaped = fc.record(
    {
      kind: fc.oneof(tree, fc.constant('Pod')),
      metadata: fc.oneof(tree, fc.record({ annotations: tree, labels: tree })),
      spec: fc.oneof(
        tree,
        fc.record({
          containers: fc.oneof(tree, fc.array(tree)),
          initContainers: tree,
          volumes: tree,
          securityContext: tree,
          imagePullSecrets: tree,
          terminationGracePeriodSeconds: tree
        })
      )
    },
    { requiredKeys: [] }
  )

  test('nothing is thrown, and the patch applies', () => {
    fc.assert(
      fc.property(fc.oneof(tree, shaped), settings, (value, chosen) => {
        const json: unknown = JSON.parse(JSON.stringify(value) ?? 'null')
        const review = reviewPod({ pod: frozen(json), namespace: 'models', settings: chosen })
        assert.ok(review.report.reasons.length > 0)
        if (review.patch.length > 0) patched(json as Pod, review)
      }),
      { numRuns: 500 }
    )
  })

  test('not even for what is deeper than a stack', () => {
    const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) as unknown
    const [base] = loopback
    assert.ok(base !== undefined)
    for (const spec of [
      { ...base.spec, x: deep },
      {
        ...base.spec,
        volumes: [
          { name: 'a', x: deep },
          { name: 'b', x: deep }
        ]
      },
      {
        ...base.spec,
        initContainers: [
          { name: 'a', x: deep },
          { name: 'b', x: deep }
        ]
      },
      { ...base.spec, containers: [...base.spec.containers, { name: 'a', x: deep }] }
    ]) {
      for (const chosen of SETTINGS) reviewPod({ pod: { ...base, spec }, namespace: 'models', settings: chosen })
    }
  })

  test('not even for names that every object of JavaScript has', () => {
    const [base] = loopback
    assert.ok(base !== undefined)
    for (const odd of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      const containers = [...base.spec.containers, { name: odd, image: 'a', ports: [{ name: odd, containerPort: 1 }] }]
      const own = Object.fromEntries([[PREFIX + odd, 'x']])
      for (const chosen of SETTINGS) {
        const pod: Pod = { ...base, spec: { ...base.spec, containers } }
        assert.equal(reviewPod({ pod, namespace: odd, settings: chosen }).report.result, 'inject', odd)
        const wrong = { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...own } } }
        assert.notEqual(reviewPod({ pod: wrong, namespace: odd, settings: chosen }).report.result, 'inject', odd)
      }
    }
  })

  test('not even for numbers beyond all bounds', () => {
    const [base] = loopback
    assert.ok(base !== undefined)
    for (const seconds of [Infinity, -1, 0.5, 1e15, 100_000]) {
      const pod = { ...base, spec: { ...base.spec, terminationGracePeriodSeconds: seconds } }
      for (const chosen of SETTINGS) {
        const { report } = reviewPod({ pod, namespace: 'models', settings: chosen })
        assert.equal(report.result, 'inject', `${seconds}: ${report.reasons.map(({ message }) => message).join()}`)
      }
    }
  })
})

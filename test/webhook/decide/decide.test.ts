import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decide, type Decision } from '../../../webhook/decide/decide.ts'
import { reasons } from '../../../webhook/decide/reasons.ts'
import type { RawPod } from '../../../webhook/pod.ts'
import type { Settings } from '../../../webhook/settings/settings.ts'
import { loggingPod, podWith, SETTINGS } from '../pods.ts'

interface Given {
  inject?: boolean
  namespace?: string
  settings?: Partial<Settings>
}

function decisionOn(pod: RawPod, { inject, namespace = 'models', settings }: Given = {}): Decision {
  return decide({ pod, namespace, inject, settings: { ...SETTINGS, ...settings } })
}

function codes(pod: RawPod, given: Given = {}): string[] {
  const decision = decisionOn(pod, given)
  return [decision.result, ...decision.reasons.map(({ code }) => code)]
}

const native = {
  name: 'inference-logger',
  args: ['sidecar'],
  restartPolicy: 'Always',
  ports: [{ name: 'il-metrics', containerPort: 9481 }]
}

describe('a sidecar is injected', () => {
  test('where the logger’s URL is on loopback, and listens on its port', () => {
    const decision = decisionOn(podWith({ sink: 'http://localhost:9555' }))
    assert.equal(decision.result, 'inject')
    assert.deepEqual(decision.listen, { hosts: ['127.0.0.1', '::1'], port: 9555 })
    assert.deepEqual(codes(podWith({ sink: 'http://localhost:9555' })), ['inject', 'loopback_sink'])
  })

  test('where the annotation says so, whatever the URL is: it listens where the settings say, with a warning', () => {
    for (const pod of [podWith(), podWith({ sink: 'http://a-broker' }), podWith({ sink: 'https://localhost:9480' })]) {
      const decision = decisionOn(pod, { inject: true, settings: { port: 9777 } })
      assert.ok(decision.result === 'inject')
      assert.deepEqual(
        decision.reasons.map(({ code }) => code),
        ['inject_annotation']
      )
      assert.equal(decision.listen.port, 9777)
      assert.match(decision.warnings.join(), /listens on port 9777, and only what is sent there is logged/)
    }
  })

  test('for both reasons, without a warning', () => {
    assert.deepEqual(codes(loggingPod(), { inject: true }), ['inject', 'loopback_sink', 'inject_annotation'])
    const decision = decisionOn(loggingPod(), { inject: true })
    assert.deepEqual('warnings' in decision ? decision.warnings : undefined, [])
  })

  test('into a pod of KFServing', () => {
    const pod = loggingPod({
      labels: { 'serving.kserve.io/inferenceservice': undefined, 'serving.kubeflow.org/inferenceservice': 'iris' }
    })
    assert.deepEqual(codes(pod), ['inject', 'loopback_sink'])
  })

  test('beside Istio’s proxy, with a warning about the probes unless its port is excluded', () => {
    const proxy = { name: 'istio-proxy', restartPolicy: 'Always' }
    const warnings = (pod: RawPod): readonly string[] => {
      const decision = decisionOn(pod)
      return 'warnings' in decision ? decision.warnings : []
    }
    assert.match(warnings(loggingPod({ spec: { initContainers: [proxy] } })).join(), /excludeInboundPorts: "9481"/)
    assert.match(warnings(loggingPod({ containers: [proxy] })).join(), /mTLS/)
    const annotations = { 'traffic.sidecar.istio.io/excludeInboundPorts': '8080, 9481' }
    assert.deepEqual(warnings(loggingPod({ annotations, containers: [proxy] })), [])
  })
})

describe('a pod is skipped', () => {
  const worker = { name: 'worker-container' }
  const cases: Record<string, [RawPod, Given?]> = {
    not_a_pod: [{ kind: 'Deployment', spec: { containers: [{ name: 'a' }] } }],
    mirror_pod: [loggingPod({ annotations: { 'kubernetes.io/config.mirror': 'x' } })],
    windows_pod: [loggingPod({ spec: { os: { name: 'windows' } } })],
    namespace_ignored: [loggingPod(), { namespace: 'kube-system' }],
    already_injected: [loggingPod({ spec: { initContainers: [native] } })],
    inject_annotation_false: [loggingPod(), { inject: false }],
    no_inference_service_label: [loggingPod({ labels: { 'serving.kserve.io/inferenceservice': undefined } })],
    no_logger: [podWith()],
    sink_unknown: [podWith({ annotations: { 'internal.serving.kserve.io/logger': 'true' } })],
    sink_not_loopback: [podWith({ sink: 'http://a-broker' })],
    sink_https: [podWith({ sink: 'https://localhost:9480' })],
    sink_invalid: [podWith({ sink: 'localhost:9480' })],
    sink_port_privileged: [podWith({ sink: 'http://localhost' })],
    multi_node_worker: [loggingPod({ containers: [worker] })],
    host_network: [loggingPod({ spec: { hostNetwork: true } })],
    port_conflict: [loggingPod({ containers: [{ name: 'other', ports: [{ containerPort: 9480 }] }] })],
    container_name_conflict: [loggingPod({ containers: [{ name: 'inference-logger', image: 'another' }] })],
    volume_name_conflict: [loggingPod({ spec: { volumes: [{ name: 'inference-logger-journal' }] } })]
  }
  for (const [code, [pod, given]] of Object.entries(cases)) {
    test(code, () => assert.deepEqual(codes(pod, given), ['skip', code]))
  }

  test('each reason for it has a case above', () => {
    const others = ['loopback_sink', 'inject_annotation', 'restart_policy_restored', 'invalid_annotation']
    assert.deepEqual(
      Object.keys(cases).sort(),
      Object.keys(reasons)
        .filter(code => !others.includes(code))
        .sort()
    )
  })

  test('with all reasons, not the first', () => {
    const pod = podWith({
      labels: { 'serving.kserve.io/inferenceservice': undefined },
      spec: { hostNetwork: true },
      containers: [worker]
    })
    assert.deepEqual(codes(pod, { namespace: 'kube-public' }), [
      'skip',
      'namespace_ignored',
      'host_network',
      'multi_node_worker',
      'no_inference_service_label',
      'no_logger'
    ])
  })

  test('in namespaces that the settings name', () => {
    assert.deepEqual(codes(loggingPod(), { settings: { ignoredNamespaces: ['models'] } }), [
      'skip',
      'namespace_ignored'
    ])
  })

  test('for what makes a sidecar impossible, also where the annotation wants one', () => {
    for (const code of [
      'host_network',
      'multi_node_worker',
      'container_name_conflict',
      'volume_name_conflict',
      'port_conflict'
    ] as const) {
      const [pod] = cases[code] ?? []
      assert.deepEqual(codes(pod ?? {}, { inject: true }), ['skip', code])
    }
  })
})

describe('a port is taken', () => {
  const taken = (parts: Parameters<typeof loggingPod>[0], settings: Partial<Settings> = {}): string => {
    const decision = decisionOn(loggingPod(parts), { settings })
    return decision.reasons.map(({ code, message }) => `${code}: ${message}`).join()
  }
  for (const [what, parts] of Object.entries({
    'declared by a container': { containers: [{ name: 'other', ports: [{ containerPort: 9480, protocol: 'TCP' }] }] },
    'declared by a native sidecar': {
      spec: { initContainers: [{ name: 'other', restartPolicy: 'Always', ports: [{ containerPort: 9481 }] }] }
    },
    'shown by a probe': { containers: [{ name: 'other', readinessProbe: { httpGet: { port: 9480 } } }] },
    'the model’s own, which only the agent knows': { sink: 'http://localhost:8080' },
    'the agent’s own': { sink: 'http://localhost:9081' },
    'queue-proxy’s, undeclared': { sink: 'http://localhost:8022', containers: [{ name: 'queue-proxy' }] },
    'Istio’s, undeclared': { sink: 'http://localhost:15020', containers: [{ name: 'istio-proxy' }] },
    'that of the metrics': { sink: 'http://localhost:9481' }
  })) {
    test(what, () => assert.match(taken(parts), /^port_conflict: /))
  }

  test('not by a container that has ended when the sidecar runs, and not for UDP', () => {
    const initContainers = [{ name: 'other', ports: [{ containerPort: 9480 }] }]
    const containers = [{ name: 'dns', ports: [{ containerPort: 9480, protocol: 'UDP' }] }]
    assert.match(taken({ spec: { initContainers }, containers }), /^loopback_sink/)
  })

  test('and the message says by whom, and what to do', () => {
    const containers = [{ name: 'exporter', ports: [{ containerPort: 9481 }] }]
    assert.match(
      taken({ containers }),
      /exporter has port 9481, which the sidecar’s il-metrics needs; the settings’ metricsPort/
    )
    assert.match(taken({ containers }, { metricsPort: 9999 }), /^loopback_sink/)
  })
})

describe('a sidecar that is there', () => {
  test('is known in both forms, whatever others did to it', () => {
    const changed = {
      ...native,
      env: [{ name: 'ADDED' }],
      image: 'mirror.example/of-it',
      volumeMounts: [{ name: 'added' }]
    }
    assert.deepEqual(codes(loggingPod({ spec: { initContainers: [{ name: 'first' }, changed] } })), [
      'skip',
      'already_injected'
    ])
    const plain = { ...changed, restartPolicy: undefined }
    assert.deepEqual(codes(loggingPod({ containers: [plain] })), ['skip', 'already_injected'])
  })

  test('gets back the restartPolicy that an old webhook took away', () => {
    const stripped = { ...native, restartPolicy: undefined }
    const decision = decisionOn(loggingPod({ spec: { initContainers: [{ name: 'first' }, stripped] } }))
    assert.ok(decision.result === 'repair')
    assert.equal(decision.index, 1)
    assert.equal(decision.reasons[0]?.code, 'restart_policy_restored')
  })
})

import type { Settings } from '../../webhook/settings/settings.ts'

/** Settings with nothing special in them. */
export const SETTINGS: Settings = {
  image: 'registry.example/inference-logger:1',
  imagePullSecrets: [],
  kubernetesVersion: undefined,
  kserveVersion: undefined,
  port: 9480,
  metricsPort: 9481,
  kafka: { brokers: 'kafka:9092', configSecret: undefined, ca: undefined, config: {} },
  defaults: {},
  annotations: { allow: [], forbid: [], onMistake: 'deny' },
  journal: { sizeLimit: undefined, claimTemplates: {}, fsGroup: undefined },
  gracePeriod: { raise: true, agentDrainSeconds: 30, flushSeconds: 15 },
  securityContext: { runAsUser: undefined, runAsGroup: undefined },
  env: {},
  ignoredNamespaces: []
}

type Json = Record<string, unknown>

/** What a pod of {@link podWith} has beside what KServe gives every one. */
export interface PodParts {
  labels?: Json
  annotations?: Json
  spec?: Json
  /** `--log-url` of the agent; undefined: no agent */
  sink?: string | undefined
  containers?: Json[]
}

/** A predictor pod, as KServe's webhook leaves it. */
export function podWith({ labels, annotations, spec, sink, containers = [] }: PodParts = {}): {
  kind: string
  metadata: { labels: Json; annotations: Json } & Json
  spec: { containers: Json[] } & Json
} {
  const agent = {
    name: 'agent',
    args: ['--log-url', sink, '--component-port', '8080'],
    ports: [{ containerPort: 9081 }]
  }
  return {
    kind: 'Pod',
    metadata: {
      generateName: 'iris-predictor-',
      labels: { 'serving.kserve.io/inferenceservice': 'iris', component: 'predictor', ...labels },
      annotations: { ...annotations }
    },
    spec: {
      containers: [
        { name: 'kserve-container', image: 'a-model' },
        ...(sink === undefined ? [] : [agent]),
        ...containers
      ],
      ...spec
    }
  }
}

/** One whose logger leads to a sidecar. */
export function loggingPod(parts: PodParts = {}): ReturnType<typeof podWith> {
  return podWith({ sink: 'http://localhost:9480', ...parts })
}

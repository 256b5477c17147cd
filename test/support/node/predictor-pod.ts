import type { Pod, PodSecurityContext } from 'kubernetes-types/core/v1.js'
import { images, programs } from './images.ts'

/** What differs between predictors. */
export interface PredictorOptions {
  /** Of the InferenceService, and so of the topic. */
  name: string
  namespace: string
  /** As the InferenceService has them. */
  annotations?: Readonly<Record<string, string>>
  /** Further arguments of the stand-in model. */
  model?: readonly string[]
  /** Further arguments of the stand-in agent. */
  agent?: readonly string[]
  /** Over what the namespace's Pod Security asks for. */
  securityContext?: PodSecurityContext
}

/** Where the agent takes predictions, and where it says what became of events. */
export const agentPorts = { predictions: 9081, answers: 9089 } as const

const restricted = { allowPrivilegeEscalation: false, privileged: false, capabilities: { drop: ['ALL'] } }
const resources = { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '1', memory: '512Mi' } }

/** A predictor's pod as KServe's controller and webhook leave it in Standard mode, with stand-ins for what it runs. */
export function predictorPod(options: PredictorOptions): Pod {
  const { name, namespace, annotations = {}, securityContext = {} } = options
  const internal = 'internal.serving.kserve.io'
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-predictor`,
      namespace,
      labels: {
        app: `isvc.${name}-predictor`,
        component: 'predictor',
        'serving.kserve.io/inferenceservice': name
      },
      annotations: {
        'serving.kserve.io/deploymentMode': 'Standard',
        [`${internal}/logger`]: 'true',
        [`${internal}/logger-mode`]: 'all',
        [`${internal}/logger-sink-url`]: 'http://localhost:9480',
        ...annotations
      },
      // The pod stays to be looked at when all of its containers have ended.
      finalizers: ['inference-logger.io/test']
    },
    spec: {
      containers: [modelContainer(options), agentContainer(options)],
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' }, ...securityContext },
      terminationGracePeriodSeconds: 30
    }
  }
}

function modelContainer({ name, model = [] }: PredictorOptions): NonNullable<Pod['spec']>['containers'][number] {
  return {
    name: 'kserve-container',
    image: images.standIns,
    imagePullPolicy: 'IfNotPresent',
    args: [programs.model, ...model],
    env: [{ name: 'INFERENCE_SERVICE_NAME', value: name }],
    resources,
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    securityContext: restricted
  }
}

function agentContainer(options: PredictorOptions): NonNullable<Pod['spec']>['containers'][number] {
  const { name, namespace, agent = [] } = options
  const values = {
    'log-url': 'http://localhost:9480',
    'source-uri': '',
    'log-mode': 'all',
    'inference-service': name,
    namespace,
    endpoint: '',
    component: 'predictor',
    'logger-tls-skip-verify': 'false',
    'component-port': '8080'
  }
  const httpHeaders = [{ name: 'K-Network-Probe', value: 'queue' }]
  return {
    name: 'agent',
    image: images.standIns,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', programs.agent],
    args: [...Object.entries(values).flatMap(([flag, value]) => [`--${flag}`, value]), ...agent],
    ports: [{ name: 'agent-port', containerPort: agentPorts.predictions, protocol: 'TCP' }],
    resources,
    readinessProbe: { httpGet: { path: '/', port: agentPorts.predictions, httpHeaders }, periodSeconds: 1 },
    securityContext: restricted
  }
}

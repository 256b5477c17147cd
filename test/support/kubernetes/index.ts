export { KubernetesClient, pathOf, StatusError } from './client.ts'
export { ControlPlane, type ControlPlaneOptions, defaultControllers } from './control-plane.ts'
export { KubectlError } from './kubectl.ts'
export { addAgent, capturedPod, deploymentOf, podOf, type StoredPod } from './kserve.ts'
export { createNamespace, failedCreate, injectionLabel, podsIn, podsMade } from './namespaces.ts'
export {
  buildTimeoutMs,
  controlPlanePrograms,
  kubernetesTools,
  missingKubernetesTools,
  skipWithoutKubernetes,
  withoutKubernetesTools
} from './tools.ts'
export { eventually } from './wait.ts'
export { configurationOf, inferenceLoggerConfiguration, onlyNamespace, StandInWebhook } from './webhooks.ts'
export { leastSettings, WebhookProcess, type WebhookProcessOptions } from './webhook-process.ts'
export { KServeCluster, type KServeClusterOptions } from './cluster.ts'
export { createToken, type Rules } from './service-accounts.ts'
export {
  agentOf,
  comparable,
  dropped,
  envOf,
  findSidecar,
  joinMesh,
  namesOf,
  patched,
  sidecarOf,
  statusOf,
  withoutToken
} from './pods.ts'
export { Balancer } from './balancer.ts'
export { type Buckets, bucketsOf, quantile, since } from './histogram.ts'
export { AdmissionLoad } from './load.ts'

/** Codes of reasons: an interface, like a metric's name. docs/webhook.md has a table made from this. */
export const reasons = {
  // Inject.
  loopback_sink: 'the logger’s URL is on loopback: the sidecar listens there',
  inject_annotation: 'the annotation inference-logger.io/inject is "true"',
  restart_policy_restored: 'the injected native sidecar had lost its restartPolicy, which another webhook removed',
  // Deny (or skip, where settings say so).
  invalid_annotation: 'an annotation inference-logger.io/… has a wrong value, an unknown name, or is not allowed',
  // Skip.
  not_a_pod: 'the object is no pod',
  mirror_pod: 'a static pod’s mirror cannot be changed',
  windows_pod: 'the pod runs on Windows',
  namespace_ignored: 'nothing is injected into this namespace',
  already_injected: 'the pod has the sidecar',
  inject_annotation_false: 'the annotation inference-logger.io/inject is "false"',
  no_inference_service_label: 'the pod has no label serving.kserve.io/inferenceservice: KServe did not make it',
  no_logger: 'the InferenceService’s component has no logger',
  sink_unknown:
    'the component has a logger without a URL, and no agent yet that would say where the cluster’s default is',
  sink_not_loopback: 'the logger’s URL is elsewhere',
  sink_https: 'the logger’s URL is https on loopback: the sidecar takes plain http there, which never leaves the pod',
  sink_invalid: 'the logger’s URL is none that an HTTP client could use',
  sink_port_privileged: 'the logger’s URL has a port below 1024, where a container without privileges cannot listen',
  multi_node_worker: 'the pod is a worker of a multi-node model: its head answers requests',
  host_network: 'the pod is in the node’s network, where loopback is everybody’s',
  port_conflict: 'another container has a port that the sidecar needs',
  container_name_conflict: 'another container is called inference-logger',
  volume_name_conflict: 'another volume has the name of one of the sidecar’s'
} as const satisfies Readonly<Record<string, string>>

export type ReasonCode = keyof typeof reasons

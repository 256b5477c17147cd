import { join } from 'node:path'
import { names } from './machine.ts'
import { cniFolder } from './tools.ts'

/** The node's address on its bridge: where pods find what runs on this machine. */
export const nodeAddress = '10.88.9.1'
const podNetwork = '10.88.9.0/24'

/** Where Services get their addresses; nothing routes there but the first one, which is the API server's. */
export const serviceNetwork = '10.88.10.0/24'
/** Of the Service `kubernetes`: the one address that pods get in their environment. */
export const apiServerAddress = '10.88.10.1'

/** Paths below the node's folder. */
export interface NodePaths {
  readonly folder: string
  readonly socket: string
  readonly podLogs: string
}

export function nodePaths(folder: string): NodePaths {
  return { folder, socket: join(folder, 'containerd.sock'), podLogs: join(folder, 'pod-logs') }
}

/** containerd's configuration, with everything that it keeps in the folder. */
export function containerdConfig({ folder, socket }: NodePaths, sandboxImage: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "${folder}/containerd-state"
[grpc]
  address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandboxImage}"
  # Without CAP_SYS_RESOURCE, as in a sandbox, it cannot be lowered.
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniFolder}"
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`
}

/** A bridge of the node's own, without a way out: pods reach each other and this machine. */
export function networkConfig({ folder }: NodePaths): string {
  const ipam = {
    type: 'host-local',
    dataDir: join(folder, 'addresses'),
    ranges: [[{ subnet: podNetwork }]],
    routes: [{ dst: '0.0.0.0/0' }]
  }
  const bridge = { type: 'bridge', bridge: names.bridge, isGateway: true, ipMasq: false, ipam }
  return JSON.stringify({ cniVersion: '0.4.0', name: names.network, plugins: [bridge, { type: 'loopback' }] })
}

/** The kubelet's configuration: JSON is YAML. */
export function kubeletConfig({ folder, socket, podLogs }: NodePaths): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeAddress,
    healthzPort: 0,
    readOnlyPort: 0,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${names.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    // Sooner than every minute it looks at how full volumes are.
    volumeStatsAggPeriod: '10s',
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi' },
    // Sooner than every 10 s: tests wait for what the API server says.
    nodeStatusUpdateFrequency: '5s',
    podLogsDir: podLogs,
    volumePluginDir: join(folder, 'volume-plugins'),
    resolvConf: ''
  })
}

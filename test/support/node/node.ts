import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { searchPath } from '../image/tools.ts'
import { ControlPlane, defaultControllers } from '../kubernetes/control-plane.ts'
import { kubernetesTools } from '../kubernetes/tools.ts'
import { makeBridge, serveApiServer } from './bridge.ts'
import { makeCgroup } from './cgroup.ts'
import {
  apiServerAddress,
  containerdConfig,
  kubeletConfig,
  networkConfig,
  nodeAddress,
  nodePaths,
  type NodePaths,
  serviceNetwork
} from './config.ts'
import { images, saveImages } from './images.ts'
import { Machine } from './machine.ts'
import { nodePrograms } from './tools.ts'

const execute = promisify(execFile)

/** What the node is called: `spec.nodeName` of every pod. */
export const nodeName = 'test-node'

/**
 * A Kubernetes with a node that runs pods: containerd, the kubelet and the scheduler beside a control plane. Pods get
 * addresses on a bridge, probes, restarts, volumes and limits; their images are the project's and the stand-ins'. Ready
 * in some 15 s when the images are cached. Nothing of it outlives the process, also when that is killed.
 */
export class TestNode {
  readonly plane: ControlPlane
  readonly #machine: Machine

  private constructor(plane: ControlPlane, machine: Machine) {
    this.plane = plane
    this.#machine = machine
  }

  /** Starts everything; nothing is left when that fails. */
  static async start(signal: AbortSignal): Promise<TestNode> {
    const machine = await Machine.take()
    let plane: ControlPlane | undefined
    try {
      const archive = join(machine.folder, 'images.tar')
      const saved = saveImages(archive, signal)
      saved.catch(() => {})
      const tools = await kubernetesTools(nodePrograms)
      makeCgroup()
      await makeBridge()
      plane = await startControlPlane()
      await serveApiServer(plane.url)
      const node = new TestNode(plane, machine)
      const paths = nodePaths(machine.folder)
      await writeConfig(paths)
      await startContainerd(plane, paths)
      await saved
      const importing = ['-a', paths.socket, '-n', 'k8s.io', 'images', 'import', '--snapshotter=overlayfs', archive]
      await execute('ctr', importing, { env: environment(), signal })
      startKubelet(plane, paths, tools)
      await plane.processes.waitFor('kubelet', () => isReady(node.plane))
      return node
    } catch (error) {
      const logs = ['containerd', 'kubelet'].map(name => plane?.processes.log(name, 2000) ?? '')
      await machine.release()
      await plane?.close()
      throw new Error(`the node did not start\n${logs.join('\n')}`, { cause: error })
    }
  }

  /** Kills all pods and programs, and deletes what they wrote. */
  async close(): Promise<void> {
    // Before containerd goes: it would start anew what ended.
    await this.plane.processes.stop('kubelet', 'SIGKILL')
    await this.#machine.release()
    await this.plane.close()
  }
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath }
}

function startControlPlane(): Promise<ControlPlane> {
  return ControlPlane.start({
    controllers: [...defaultControllers, 'endpoints-controller', 'endpointslice-controller'],
    names: [apiServerAddress],
    apiServer: {
      'service-cluster-ip-range': serviceNetwork,
      // There is no kube-proxy: it finds webhooks by their pods' addresses.
      'enable-aggregator-routing': 'true',
      // `kubectl logs` and `exec` find the node by its address: nobody can look its name up.
      'kubelet-preferred-address-types': 'InternalIP',
      // Nobody takes that taint from a new node: the controller that does is not there.
      'disable-admission-plugins': 'TaintNodesByCondition'
    }
  })
}

async function writeConfig(paths: NodePaths): Promise<void> {
  const { folder } = paths
  await mkdir(join(folder, 'cni'))
  await writeFile(join(folder, 'cni', '10-test.conflist'), networkConfig(paths))
  await writeFile(join(folder, 'containerd.toml'), containerdConfig(paths, images.pause))
  await writeFile(join(folder, 'kubelet.yaml'), kubeletConfig(paths))
}

async function startContainerd(plane: ControlPlane, { folder, socket }: NodePaths): Promise<void> {
  plane.processes.start('containerd', 'containerd', ['--config', join(folder, 'containerd.toml')], environment())
  await plane.processes.waitFor('containerd', async () => {
    const answered = execute('ctr', ['-a', socket, '--timeout=1s', 'version'], { env: environment() })
    return answered.then(
      () => true,
      () => false
    )
  })
}

function startKubelet(
  plane: ControlPlane,
  { folder }: NodePaths,
  tools: Record<'kubelet' | 'kube-scheduler', string>
): void {
  const kubelet = [
    `--config=${join(folder, 'kubelet.yaml')}`,
    `--kubeconfig=${plane.kubeconfig}`,
    `--root-dir=${join(folder, 'kubelet')}`,
    `--cert-dir=${join(folder, 'pki')}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${nodeAddress}`
  ]
  plane.processes.start('kubelet', tools.kubelet, kubelet, environment())
  const scheduler = ['--leader-elect=false', '--secure-port=0', `--kubeconfig=${plane.kubeconfig}`]
  plane.processes.start('kube-scheduler', tools['kube-scheduler'], scheduler)
}

interface NodeObject {
  status?: { conditions?: { type: string; status: string }[] }
}

async function isReady(plane: ControlPlane): Promise<boolean> {
  const found = await plane.client.find<NodeObject>(`/api/v1/nodes/${nodeName}`)
  return found?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

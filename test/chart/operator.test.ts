import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { parse } from 'yaml'
import {
  buildTimeoutMs,
  ControlPlane,
  createNamespace,
  eventually,
  withoutKubernetesTools
} from '../support/kubernetes/index.ts'
import {
  chartFolder,
  ciFile,
  Helm,
  prometheusOperator,
  prometheusOperatorModule,
  withoutGo,
  withoutHelmTools,
  yamlOfModule
} from '../support/helm/index.ts'

interface ScrapeConfig {
  job_name: string
  kubernetes_sd_configs: { role: string; namespaces?: { names: string[] } }[]
  relabel_configs: { source_labels?: string[]; regex?: string; target_label?: string; action?: string }[]
}

const kinds = ['prometheuses', 'podmonitors', 'servicemonitors', 'prometheusrules', 'probes', 'scrapeconfigs']
/** As kube-prometheus-stack has it: only what has the release's label is taken. */
const prometheus = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'Prometheus',
  metadata: { name: 'k8s', namespace: 'monitoring' },
  spec: {
    serviceAccountName: 'default',
    podMonitorSelector: { matchLabels: { release: 'stack' } },
    podMonitorNamespaceSelector: {},
    serviceMonitorSelector: { matchLabels: { release: 'stack' } },
    serviceMonitorNamespaceSelector: {},
    ruleSelector: { matchLabels: { release: 'stack' } },
    ruleNamespaceSelector: {}
  }
}

describe('Prometheus’ operator', { skip: withoutHelmTools() || withoutGo() || withoutKubernetesTools() }, () => {
  let plane: ControlPlane
  let helm: Helm
  before(
    async () => {
      const operator = await prometheusOperator()
      plane = await ControlPlane.start()
      helm = await Helm.create(plane.kubeconfig)
      const paths = kinds.map(kind => `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`)
      const input = await yamlOfModule(prometheusOperatorModule, paths)
      await plane.kubectl(['apply', '--server-side', '--filename', '-'], { input })
      await createNamespace(plane.client, 'monitoring', {})
      // Until their storage is there, the answer is an error.
      await eventually('the operator’s kinds are served', () =>
        plane.client.get('/apis/monitoring.coreos.com/v1/prometheuses').catch(() => undefined)
      )
      const { cert, key } = await plane.authority.client('prometheus-operator', ['system:masters'])
      writeFileSync(join(plane.processes.folder, 'operator.crt'), cert)
      writeFileSync(join(plane.processes.folder, 'operator.key'), key)
      plane.processes.start('prometheus-operator', operator, [
        `--apiserver=${plane.url}`,
        '--ca-file=ca.crt',
        '--cert-file=operator.crt',
        '--key-file=operator.key',
        '--web.listen-address=127.0.0.1:0',
        '--prometheus-config-reloader=reloader:test'
      ])
      await plane.kubectl(['create', '--filename', '-'], { input: prometheus })
      const monitors = ['podMonitor', 'serviceMonitor', 'prometheusRule'].flatMap(name => [
        ...['--set', `monitoring.${name}.enabled=true`],
        ...['--set', `monitoring.${name}.labels.release=stack`]
      ])
      await helm.run(
        ...['install', 'inference-logger', chartFolder(), '--namespace', 'logging', '--create-namespace'],
        ...['--values', ciFile('minimal'), '--set', 'gateway.enabled=true', ...monitors]
      )
    },
    { timeout: buildTimeoutMs }
  )
  after(async () => {
    await plane?.close()
    helm?.close()
  })

  test('makes Prometheus scrape sidecars in all namespaces, the gateway and the webhook', async () => {
    const wanted = [
      'podMonitor/logging/inference-logger-gateway/0',
      'podMonitor/logging/inference-logger-sidecar/0',
      'serviceMonitor/logging/inference-logger-webhook/0'
    ]
    let jobs: ScrapeConfig[] = []
    const isThere = async (): Promise<boolean> => {
      jobs = (await configuration())?.scrape_configs ?? []
      return wanted.every(name => jobs.some(({ job_name }) => job_name === name))
    }
    await plane.processes.waitFor('prometheus-operator', isThere)
    const sidecars = jobs.find(({ job_name }) => job_name === wanted[1])
    assert.ok(sidecars)
    assert.deepEqual(sidecars.kubernetes_sd_configs[0]?.namespaces, undefined, 'all of them')
    const rules = sidecars.relabel_configs
    const keeps = (label: string): string | undefined =>
      rules.find(({ action, source_labels }) => action === 'keep' && source_labels?.includes(label))?.regex
    assert.equal(keeps('__meta_kubernetes_pod_container_port_name'), 'il-metrics')
    assert.match(keeps('__meta_kubernetes_pod_labelpresent_serving_kserve_io_inferenceservice') ?? '', /true/)
    const labels = rules.map(({ target_label }) => target_label)
    for (const label of ['namespace', 'pod', 'container', 'serving_kserve_io_inferenceservice', 'component']) {
      assert.ok(labels.includes(label), label)
    }
  })

  test('hands the alerts on, each as it is in the chart', async () => {
    const rules = await eventually('the rules’ ConfigMap', async () => {
      const maps = await plane.client.list<{ metadata: { name: string }; data?: Record<string, string> }>(
        '/api/v1/namespaces/monitoring/configmaps'
      )
      return Object.values(maps.find(({ metadata }) => /rulefiles/.test(metadata.name))?.data ?? {})[0]
    })
    const { groups } = parse(rules) as { groups: { rules: { alert?: string }[] }[] }
    const alerts = groups.flatMap(group => group.rules.map(({ alert }) => alert))
    assert.ok(alerts.includes('InferenceLoggerDropping'), alerts.join())
  })

  /** Of Prometheus, as the operator writes it. */
  async function configuration(): Promise<{ scrape_configs?: ScrapeConfig[] } | undefined> {
    const path = '/api/v1/namespaces/monitoring/secrets/prometheus-k8s'
    const secret = await plane.client.find<{ data?: Record<string, string> }>(path)
    const packed = secret?.data?.['prometheus.yaml.gz']
    if (packed === undefined) return undefined
    return parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as { scrape_configs?: ScrapeConfig[] }
  }
})

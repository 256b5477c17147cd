import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { join } from 'node:path'
import type { KubectlError } from '../support/kubernetes/index.ts'
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
  ciValues,
  Helm,
  prometheusOperatorModule,
  withoutGo,
  withoutHelmTools,
  yamlOfModule
} from '../support/helm/index.ts'

/** Where the definitions of the operators' kinds come from. */
const definitions = {
  [prometheusOperatorModule]: ['podmonitors', 'servicemonitors', 'prometheusrules'].map(
    kind => `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`
  ),
  'github.com/cert-manager/cert-manager@v1.21.2': ['certificates', 'issuers'].map(
    kind => `deploy/crds/cert-manager.io_${kind}.yaml`
  )
} as const

const presets: Readonly<Record<string, readonly string[]>> = {
  'values-ha.yaml': ['--values', join(chartFolder(), 'values-ha.yaml'), '--set', 'gateway.enabled=true'],
  'values-openshift.yaml': [
    '--values',
    join(chartFolder(), 'values-openshift.yaml'),
    '--set',
    'networkPolicy.enabled=true'
  ]
}

describe(
  'The API server takes every object',
  { skip: withoutHelmTools() || withoutGo() || withoutKubernetesTools() },
  () => {
    let plane: ControlPlane
    let helm: Helm
    before(
      async () => {
        helm = await Helm.create()
        // In a dry run, the ServiceAccount of the pod behind it is never made.
        plane = await ControlPlane.start({ serviceAccountAdmission: false })
        for (const [module, paths] of Object.entries(definitions)) {
          const input = await yamlOfModule(module, paths)
          // Some are too large for the annotation that an ordinary apply makes.
          await plane.kubectl(['apply', '--server-side', '--filename', '-'], { input })
        }
        const warn = { 'pod-security.kubernetes.io/warn': 'restricted' }
        await createNamespace(plane.client, 'logging', warn)
        for (const name of ['models', 'monitoring', 'fraud', 'pricing']) {
          await createNamespace(plane.client, name)
        }
        const metadata = { name: 'inference-logger-test' }
        await plane.kubectl(['apply', '--filename', '-'], { input: { apiVersion: 'v1', kind: 'Namespace', metadata } })
        await eventually('the operators’ kinds are served', async () => {
          const groups = await plane.client.list<{ status: { conditions?: { type: string; status: string }[] } }>(
            '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
          )
          return groups.every(({ status }) =>
            (status.conditions ?? []).some(({ type, status }) => type === 'Established' && status === 'True')
          )
        })
      },
      { timeout: buildTimeoutMs }
    )
    after(async () => {
      await plane?.close()
      helm?.close()
    })

    const cases = {
      ...Object.fromEntries(ciValues().map(name => [`ci/${name}-values.yaml`, ['--values', ciFile(name)]])),
      ...Object.fromEntries(
        Object.entries(presets).map(([name, args]) => [name, ['--values', ciFile('minimal'), ...args]])
      )
    }
    for (const [name, args] of Object.entries(cases)) {
      test(`of ${name}`, async () => {
        const input = await helm.template(...args)
        const { stdout, stderr } = await dryRun(input)
        assert.match(stdout, /created \(server dry run\)/)
        // The node's network is what no level of Pod Security likes.
        if (!input.includes('hostNetwork: true')) assert.equal(stderr, '')
      })
    }

    test('and would have refused a misspelt field', async () => {
      const input = (await helm.template('--values', ciFile('monitoring'))).replace(
        'podMetricsEndpoints:',
        'podMetricEndpoints:'
      )
      await assert.rejects(dryRun(input), (error: KubectlError) =>
        /unknown field "spec\.podMetricEndpoints"/.test(error.stderr)
      )
    })

    test('and would have warned of a container that may do too much', async () => {
      const input = (await helm.template('--values', ciFile('minimal'))).replaceAll(
        'allowPrivilegeEscalation: false',
        ''
      )
      assert.match((await dryRun(input)).stderr, /would violate PodSecurity "restricted/)
    })

    function dryRun(input: string): ReturnType<ControlPlane['kubectl']> {
      return plane.kubectl(['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], { input })
    }
  }
)

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { chartFolder, ciFile, Helm, helmBuildTimeoutMs, withoutHelmTools } from '../support/helm/index.ts'

interface Contradiction {
  /** Over `ci/minimal-values.yaml`. */
  readonly values: object
  /** Further arguments of Helm. */
  readonly args?: readonly string[]
  readonly says: RegExp
}

const pem = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n'

/** By what is contradictory. */
const contradictions: Readonly<Record<string, Contradiction>> = {
  'nothing to install': {
    values: { webhook: { enabled: false } },
    says: /webhook\.enabled and gateway\.enabled are both false.*set one of them to true/
  },
  'no brokers': {
    values: { sidecar: { kafka: { brokers: '' } } },
    says: /sidecar\.kafka\.brokers is empty: set it to .*--set sidecar\.kafka\.brokers=/
  },
  'two authorities of Kafka’s certificates': {
    values: { sidecar: { kafka: { ca: { secret: 'a', configMap: 'b' } } } },
    says: /sidecar\.kafka\.ca has both secret and configMap: leave one of them empty/
  },
  'one port for two things in the sidecar': {
    values: { sidecar: { port: 9481 } },
    says: /sidecar\.port and sidecar\.metricsPort are both 9481: set one of them/
  },
  'an annotation allowed and forbidden': {
    values: { sidecar: { annotations: { allow: ['image', 'brokers'], forbid: ['brokers'] } } },
    says: /sidecar\.annotations has brokers in allow and in forbid: leave it out of one/
  },
  'one port for two things in the webhook': {
    values: { webhook: { port: 9482 } },
    says: /webhook\.port and webhook\.opsPort are both 9482/
  },
  'failurePolicy Fail with one replica': {
    values: { webhook: { failurePolicy: 'Fail', replicas: 1 } },
    says: /failurePolicy is Fail with one replica.*set webhook\.replicas to 2 or more, or webhook\.failurePolicy to Ignore/
  },
  'called before KServe, and never again': {
    values: { webhook: { configurationName: 'a-logger', reinvocationPolicy: 'Never' } },
    says: /"a-logger" sorts before KServe's .*choose a name that sorts after it, or reinvocationPolicy IfNeeded/
  },
  'matchConditions on an old Kubernetes': {
    values: { webhook: { matchConditions: [{ name: 'x', expression: 'true' }] } },
    args: ['--kube-version', '1.27'],
    says: /matchConditions need Kubernetes 1\.28, and this is v1\.27: leave them out/
  },
  'the kubelet’s port in the node’s network': {
    values: { webhook: { hostNetwork: true, port: 10250, podAntiAffinity: 'required' } },
    says: /webhook\.port is 10250, which is the kubelet's .*set webhook\.port to another port/
  },
  'two replicas that may meet in a node’s network': {
    values: { webhook: { hostNetwork: true } },
    says: /two replicas cannot run on one node: set webhook\.podAntiAffinity to required/
  },
  'a NetworkPolicy for the node’s network': {
    values: { webhook: { hostNetwork: true, podAntiAffinity: 'required' }, networkPolicy: { enabled: true } },
    says: /NetworkPolicy has no effect on pods in the node's network: set one of them to false/
  },
  'a drain longer than the grace period': {
    values: { webhook: { drain: '25s' } },
    says: /webhook\.drain is 25s, .*terminationGracePeriodSeconds is 30: raise that, or lower webhook\.drain/
  },
  'Events by everybody’s ServiceAccount': {
    values: { webhook: { events: { enabled: true }, serviceAccount: { create: false } } },
    says: /the ServiceAccount default would get the right to make Events: set webhook\.serviceAccount\.name/
  },
  'mode existingSecret without a Secret': {
    values: { webhook: { certificates: { mode: 'existingSecret' } } },
    says: /existingSecret\.name is empty: set it to the Secret with tls\.crt and tls\.key/
  },
  'mode existingSecret with nobody to trust': {
    values: { webhook: { certificates: { mode: 'existingSecret', existingSecret: { name: 'tls' } } } },
    says: /existingSecret\.caBundle is empty.*inject-ca-from-secret/
  },
  'names for a certificate of somebody else’s': {
    values: {
      webhook: {
        certificates: { mode: 'existingSecret', dnsNames: ['a'], existingSecret: { name: 'tls', caBundle: pem } }
      }
    },
    says: /dnsNames is set with mode existingSecret, whose certificate is made elsewhere: leave dnsNames out/
  },
  'a Secret that the mode does not use': {
    values: { webhook: { certificates: { existingSecret: { name: 'tls' } } } },
    says: /existingSecret is set and webhook\.certificates\.mode is helm, which would not use it: set mode/
  },
  'an issuer that the mode does not use': {
    values: { webhook: { certificates: { certManager: { issuerRef: { name: 'a' } } } } },
    says: /issuerRef is set and webhook\.certificates\.mode is helm, which would not use it: set mode/
  },
  'an issuer without a name': {
    values: { webhook: { certificates: { mode: 'certManager', certManager: { issuerRef: { kind: 'Issuer' } } } } },
    says: /issuerRef has no name: set it/
  },
  'a test where nothing is injected': {
    values: { tests: { namespace: 'logging' } },
    says: /tests\.namespace is logging, where nothing is injected: set it to a namespace with the label/
  },
  'a gateway without brokers': {
    values: { sidecar: { kafka: { brokers: '' } }, webhook: { enabled: false }, gateway: { enabled: true } },
    says: /gateway\.kafka\.brokers and sidecar\.kafka\.brokers are both empty: set one/
  },
  'two authorities of Kafka’s certificates for the gateway': {
    values: { gateway: { enabled: true, kafka: { ca: { secret: 'a', configMap: 'b' } } } },
    says: /gateway\.kafka\.ca has both secret and configMap/
  },
  'one port for two things in the gateway': {
    values: { gateway: { enabled: true, opsPort: 8080 } },
    says: /gateway\.port and gateway\.opsPort are both 8080/
  },
  'a variable that follows from a value': {
    values: { gateway: { enabled: true, env: { KAFKA_BROKERS: 'a:9092' } } },
    says: /gateway\.env\.KAFKA_BROKERS follows from gateway\.kafka\.brokers: set that instead/
  },
  'another place for the journal than its volume': {
    values: { gateway: { enabled: true, env: { INFERENCE_LOGGER_JOURNAL_DIR: '/tmp' } } },
    says: /INFERENCE_LOGGER_JOURNAL_DIR is where the journal's volume is mounted: leave it out/
  },
  'a password among the variables': {
    values: { gateway: { enabled: true, env: { KAFKA_CONFIG_SASL_PASSWORD: 'x' } } },
    says: /KAFKA_CONFIG_SASL_PASSWORD is a secret.*put it into the Secret that gateway\.kafka\.configSecret names/
  },
  'a password among Kafka’s properties': {
    values: { gateway: { enabled: true, kafka: { config: { 'sasl.password': 'x' } } } },
    says: /gateway\.kafka\.config\.sasl\.password is a secret/
  },
  'an emptyDir’s size for a volume': {
    values: { gateway: { enabled: true, kind: 'StatefulSet', journal: { sizeLimit: '1Gi' } } },
    says: /sizeLimit is an emptyDir's.*set gateway\.journal\.size instead/
  },
  'a volume smaller than the journal': {
    values: { gateway: { enabled: true, kind: 'StatefulSet', journal: { maxBytes: '1Gi', size: '1Gi' } } },
    says: /gateway\.journal\.size is 1Gi, .* needs 1376Mi: raise size, or lower one of these/
  },
  'a volume’s size for an emptyDir': {
    values: { gateway: { enabled: true, journal: { size: '1Gi' } } },
    says: /with gateway\.kind Deployment there is none: set gateway\.kind to StatefulSet, or leave them out/
  },
  'an emptyDir smaller than the journal': {
    values: { gateway: { enabled: true, journal: { sizeLimit: '256Mi' } } },
    says: /sizeLimit is 256Mi, .* needs 416Mi, so that the kubelet would evict the pod: raise sizeLimit/
  },
  'fewer replicas at most than at least': {
    values: { gateway: { enabled: true, autoscaling: { enabled: true, minReplicas: 5, maxReplicas: 2 } } },
    says: /minReplicas is 5 and maxReplicas is 2: lower the one, or raise the other/
  },
  'autoscaling on a percentage of nothing': {
    values: { gateway: { enabled: true, autoscaling: { enabled: true }, resources: { requests: { cpu: null } } } },
    says: /gateway\.resources\.requests\.cpu is not set, of which the target is a percentage: set it/
  },
  'a user on OpenShift': {
    values: { openshift: { enabled: true }, sidecar: { securityContext: { runAsUser: 1000 } } },
    says: /OpenShift chooses users and groups itself: leave runAsUser and runAsGroup out/
  },
  'an fsGroup on OpenShift': {
    values: { openshift: { enabled: true }, sidecar: { journal: { fsGroup: 1000 } } },
    says: /sidecar\.journal\.fsGroup is set, but OpenShift chooses it itself: leave it out/
  },
  'a policy without a webhook': {
    values: { webhook: { enabled: false }, gateway: { enabled: true }, admissionPolicy: { enabled: true } },
    says: /admissionPolicy\.enabled is true and webhook\.enabled is false.*set one of them otherwise/
  },
  'a policy on an old Kubernetes': {
    values: { admissionPolicy: { enabled: true } },
    args: ['--kube-version', '1.29'],
    says: /admissionPolicy\.enabled needs Kubernetes 1\.30, and this is v1\.29: set it to false/
  },
  'a policy that denies and warns': {
    values: { admissionPolicy: { enabled: true, actions: ['Deny', 'Warn'] } },
    says: /Deny and Warn, and Kubernetes takes only one of them: leave one out/
  }
}

describe(
  'Values that contradict each other end the rendering with what to change',
  { skip: withoutHelmTools() },
  () => {
    let helm: Helm
    const said: string[] = []
    before(
      async () => {
        helm = await Helm.create()
      },
      { timeout: helmBuildTimeoutMs }
    )
    after(() => helm.close())

    for (const [name, { values, args = [], says }] of Object.entries(contradictions)) {
      test(name, async () => {
        const message = await helm.refusal('--values', ciFile('minimal'), '--values', helm.values(values), ...args)
        assert.match(message, says)
        said.push(message)
      })
    }

    test('and there is no such sentence in the templates that was not seen here', () => {
      const unseen = sentences().filter(sentence => !said.some(message => sentence.test(message)))
      assert.deepEqual(unseen, [])
    })
  }
)

/** Every sentence with which a template fails, as it would be printed; units are the schema’s to refuse first. */
function sentences(): RegExp[] {
  const text = readFileSync(join(chartFolder(), 'templates', '_validate.tpl'), 'utf8')
  const elsewhere = readdirSync(join(chartFolder(), 'templates'), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.(?:tpl|yaml)$/.test(name) && !/_(?:validate|units)\.tpl$/.test(name))
    .filter(name => /\bfail\b/.test(readFileSync(join(chartFolder(), 'templates', name), 'utf8')))
  assert.deepEqual(elsewhere, [], 'templates fail in _validate.tpl')
  return [...text.matchAll(/\bfail (?:\(printf )?"((?:[^"\\]|\\.)*)"/g)].map(([, sentence = '']) => {
    const literal = sentence.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return new RegExp(literal.replace(/%[sqd]/g, '.+'))
  })
}

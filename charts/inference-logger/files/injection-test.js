// Creates a pod as KServe would, in a dry run, and looks for the sidecar in what comes back.
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

const { NAMESPACE, LABELS, WEBHOOK, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } = process.env
const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const [token, ca] = await Promise.all(['token', 'ca.crt'].map(name => readFile(`${account}/${name}`, 'utf8')))

const securityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  runAsUser: 65532,
  seccompProfile: { type: 'RuntimeDefault' }
}
const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '10m', memory: '16Mi' } }
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { generateName: 'inference-logger-test-', namespace: NAMESPACE, labels: JSON.parse(LABELS) },
  spec: {
    automountServiceAccountToken: false,
    containers: [
      { name: 'kserve-container', image: 'model', securityContext, resources },
      { name: 'agent', image: 'agent', args: ['--log-url', 'http://localhost:9480'], securityContext, resources }
    ]
  }
}

/** POSTs the pod; the answer's status and body. */
function create() {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: KUBERNETES_SERVICE_HOST,
        port: KUBERNETES_SERVICE_PORT,
        path: `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`,
        method: 'POST',
        ca,
        headers: { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' },
        timeout: 20_000
      },
      response => {
        let body = ''
        response.setEncoding('utf8').on('data', text => (body += text))
        response.on('end', () => resolve({ status: response.statusCode, body }))
      }
    )
    asked.on('timeout', () => asked.destroy(new Error('the API server did not answer within 20 s')))
    asked.on('error', reject)
    asked.end(JSON.stringify(pod))
  })
}

/** What is wrong, in sentences; undefined: nothing. */
async function problem() {
  const { status, body } = await create()
  if (status !== 201) return `the API server refused the pod (${status}): ${JSON.parse(body).message ?? body}`
  const { metadata, spec } = JSON.parse(body)
  const all = [...(spec.initContainers ?? []), ...spec.containers]
  if (all.some(({ name }) => name === 'inference-logger')) return undefined
  const decision = metadata.annotations?.['inference-logger.io/status']
  if (decision !== undefined) return `the webhook was asked, and left the pod as it is: ${decision}`
  return (
    `the API server did not ask the webhook ${WEBHOOK}, or got no answer in time. Is it available, and may the control ` +
    'plane reach its port (a firewall rule in private clusters)? See docs/installing.md.'
  )
}

// A namespace that is new has no ServiceAccount yet, and a role no effect.
const deadline = Date.now() + Number(process.env.PATIENCE_MS ?? 60_000)
let wrong = await problem()
while (wrong !== undefined && Date.now() < deadline) {
  await sleep(2000)
  wrong = await problem()
}
process.stdout.write(`${wrong ?? `a pod in ${NAMESPACE} gets the sidecar`}\n`)
process.exitCode = wrong === undefined ? 0 : 1

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { inject, type InjectInput, type InjectOutcome } from '../../../cli/inject/run.ts'
import { reviewPod } from '../../../webhook/review-pod.ts'
import { loadSettings } from '../../../webhook/settings/load.ts'
import type { AdmissionClient, AdmissionResponse } from '../server/client.ts'
import { RunningWebhook } from '../server/running-webhook.ts'
import type { PatchOperation } from './apply.ts'

/** What a webhook answered, the patch decoded. */
export interface Answered extends AdmissionResponse {
  readonly operations: readonly PatchOperation[]
}

/** The endpoint as the API server meets it, over TLS; one webhook for each of the settings files that are asked for. */
export class Endpoint {
  readonly #t: TestContext
  readonly #clients = new Map<string, Promise<AdmissionClient>>()

  constructor(t: TestContext) {
    this.#t = t
  }

  async review(review: object, settings: string): Promise<Answered> {
    let client = this.#clients.get(settings)
    if (!client) this.#clients.set(settings, (client = this.#start(settings)))
    const response = await (await client).review(review)
    const operations = response.patch === undefined ? '[]' : Buffer.from(response.patch, 'base64').toString()
    return { ...response, operations: JSON.parse(operations) as PatchOperation[] }
  }

  async #start(settings: string): Promise<AdmissionClient> {
    return (await RunningWebhook.start(this.#t, { settings })).client(this.#t)
  }
}

/** `inject` in this process. */
export function injected(text: string, settings: string, options: Partial<InjectInput> = {}): InjectOutcome {
  return inject({
    sources: [{ file: 'input.yaml', text }],
    reviewPod,
    settings: loadSettings(settings),
    namespace: 'models',
    output: 'yaml',
    report: 'text',
    ...options
  })
}

/** One entry of `inject --report json`. */
export interface Entry {
  readonly result: string
  readonly reasons: readonly { readonly code: string; readonly message: string }[]
  readonly warnings: readonly string[]
}

/** What `inject --report json` says of objects that have a pod. */
export function entriesOf({ stderr }: InjectOutcome): Entry[] {
  return (JSON.parse(stderr) as Entry[]).filter(({ reasons }) => reasons[0]?.code !== 'not_a_pod')
}

/** The webhook says what `inject` says. */
export function assertSameReport(response: AdmissionResponse, entry: Entry | undefined): void {
  assert.ok(entry)
  const codes = [...new Set(entry.reasons.map(({ code }) => code))].join(',')
  assert.deepEqual(response.auditAnnotations, { result: entry.result, reasons: codes })
  assert.deepEqual(response.warnings ?? [], entry.warnings)
  assert.equal(response.allowed, entry.result !== 'deny')
  if (!response.allowed) assert.equal(response.status?.message, entry.reasons.map(({ message }) => message).join('; '))
}

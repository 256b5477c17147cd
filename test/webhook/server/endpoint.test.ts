import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ReviewInput } from '../../../webhook/review.ts'
import { MAX_BODY_BYTES } from '../../../webhook/server/endpoint.ts'
import { realReview, type Review } from './client.ts'
import { open } from './connection.ts'
import { annotating, Serving, until } from './harness.ts'

const json = (value: unknown): string => JSON.stringify(value)
const changed = (change: (review: Review) => void): Review => {
  const review = realReview()
  change(review)
  return review
}

describe('POST /mutate', () => {
  for (const apiVersion of ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1']) {
    test(`answers in the version that it was asked in, ${apiVersion}, with the request’s uid and the patch`, async t => {
      const serving = await Serving.start(t)
      const review = changed(it => (it.apiVersion = apiVersion))
      const { status, headers, body } = await serving.client(t).send(json(review))
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'application/json')
      const answer = JSON.parse(body) as Record<string, unknown> & { response: Record<string, unknown> }
      assert.deepEqual([answer['apiVersion'], answer['kind']], [apiVersion, 'AdmissionReview'])
      assert.deepEqual(
        { ...answer.response, patch: Buffer.from(String(answer.response['patch']), 'base64').toString() },
        {
          uid: review.request['uid'],
          allowed: true,
          patchType: 'JSONPatch',
          patch: '[{"op":"add","path":"/metadata/annotations","value":{"seen":"true"}}]',
          auditAnnotations: { result: 'inject', reasons: 'loopback_sink' }
        }
      )
    })
  }

  test('hands over the pod as it was sent, the request’s namespace, and the decision to whoever tells it', async t => {
    const inputs: ReviewInput[] = []
    const serving = await Serving.start(t, {
      reviewPod: input => {
        inputs.push(input)
        return annotating(input)
      }
    })
    const review = changed(it => {
      it.request['dryRun'] = true
      delete it.request.object.metadata['namespace']
    })
    await serving.client(t).review(review)
    assert.deepEqual(inputs[0]?.pod, review.request.object)
    assert.equal(inputs[0]?.namespace, 'models')
    const [decision] = serving.observer.decisions
    assert.equal(decision?.dryRun, true)
    assert.equal(decision?.subject.generateName, 'logger-localhost-predictor-79654c448-')
    assert.equal(decision?.subject.owner?.kind, 'ReplicaSet')
    assert.ok((decision?.ms ?? -1) > 0)
  })

  for (const [what, change] of [
    ['an update', (it: Review) => (it.request['operation'] = 'UPDATE')],
    [
      'a deletion, which has no object',
      (it: Review) => Object.assign(it.request, { operation: 'DELETE', object: null })
    ],
    ['a subresource', (it: Review) => (it.request['subResource'] = 'ephemeralcontainers')]
  ] as const) {
    test(`allows ${what} without a look`, async t => {
      const serving = await Serving.start(t, {
        reviewPod: () => assert.fail('looked at')
      })
      const review = changed(change)
      assert.deepEqual(await serving.client(t).review(review), { uid: review.request['uid'], allowed: true })
      assert.deepEqual(serving.observer.told, [`untouched ${String(review.request['operation'])}`])
    })
  }

  for (const [what, body, sentence] of [
    ['an empty body', '', /^the body is empty\n$/],
    ['no JSON', '{"kind":"AdmissionReview", secret', /^the body is no JSON\n$/],
    ['a number', '7', /^the body is no AdmissionReview\n$/],
    ['a list', '[]', /^the body is no AdmissionReview\n$/],
    ['another kind', json({ kind: 'Pod', apiVersion: 'v1' }), /^the body is no AdmissionReview\n$/],
    [
      'another version',
      json({ ...realReview(), apiVersion: 'admission.k8s.io/v2' }),
      /apiVersion is none of admission/
    ],
    ['no request', json({ ...realReview(), request: undefined }), /^the AdmissionReview has no request\n$/],
    ['no uid', json(changed(it => delete it.request['uid'])), /^the AdmissionReview’s request has no uid\n$/],
    ['an empty uid', json(changed(it => (it.request['uid'] = ''))), /has no uid\n$/]
  ] as const) {
    test(`refuses ${what} with 400 and a sentence`, async t => {
      const serving = await Serving.start(t)
      const answer = await serving.client(t).send(body)
      assert.equal(answer.status, 400)
      assert.match(answer.body, sentence)
      assert.doesNotMatch(answer.body, /secret/)
      assert.deepEqual(serving.observer.told, ['refused 400'])
    })
  }

  for (const [type, status] of [
    ['application/json', 200],
    ['application/json; charset=utf-8', 200],
    ['Application/JSON', 200],
    ['application/yaml', 415],
    ['application/jsonx', 415],
    ['text/plain', 415],
    ['', 415]
  ] as const) {
    test(`answers content type “${type}” with ${status}`, async t => {
      const serving = await Serving.start(t)
      const answer = await serving.client(t).send(json(realReview()), { headers: { 'Content-Type': type } })
      assert.equal(answer.status, status)
    })
  }

  test('does not take an encoded body', async t => {
    const serving = await Serving.start(t)
    const answer = await serving.client(t).send('x', { headers: { 'Content-Encoding': 'gzip' } })
    assert.equal(answer.status, 415)
  })

  test('takes a chunked body, in whatever pieces', async t => {
    const serving = await Serving.start(t)
    const whole = Buffer.from(json(realReview()))
    const parts = [whole.subarray(0, 1), whole.subarray(1, 5000), whole.subarray(5000)]
    assert.equal((await serving.client(t).send('', { parts })).status, 200)
  })

  test('takes a body of 10 MiB', async t => {
    const serving = await Serving.start(t)
    const body = Buffer.alloc(MAX_BODY_BYTES, ' ')
    body.write(json(realReview()))
    assert.equal((await serving.client(t).send(body)).status, 200)
  })

  test('refuses a byte more with 413, announced or chunked', async t => {
    const serving = await Serving.start(t)
    const body = Buffer.alloc(MAX_BODY_BYTES + 1, ' ')
    for (const options of [{}, { parts: [body.subarray(0, 1000), body.subarray(1000)] }]) {
      const answer = await serving.client(t).send(body, options)
      assert.equal(answer.status, 413)
      assert.match(answer.body, /^the body is larger than 10485760 bytes\n$/)
      assert.equal(answer.headers['connection'], 'close')
    }
    assert.deepEqual(serving.observer.told, ['refused 413', 'refused 413'])
  })

  for (const [type, status] of [
    ['application/json', 413],
    ['text/plain', 415]
  ] as const) {
    test(`reads on after ${status}, for senders that look for an answer when they have sent everything`, async t => {
      const serving = await Serving.start(t)
      const { socket } = await open(t, serving.port)
      socket.removeAllListeners('data').pause()
      const size = MAX_BODY_BYTES + 1
      socket.write(`POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${size}\r\n\r\n`)
      await new Promise<unknown>(resolve => socket.write(Buffer.alloc(size), resolve))
      const [answer] = (await once(socket.resume(), 'data')) as [Buffer]
      assert.match(answer.toString(), new RegExp(`^HTTP/1\\.1 ${status} `))
    })
  }

  test('answers a fault of ours with 500, so that failurePolicy decides, and goes on', async t => {
    let broken = true
    const serving = await Serving.start(t, {
      reviewPod: input => {
        if (broken) throw new TypeError('hunter2')
        return annotating(input)
      }
    })
    const client = serving.client(t)
    const answer = await client.send(json(realReview()))
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.body, /hunter2/)
    assert.deepEqual(serving.observer.told, ['failed'])
    broken = false
    assert.equal((await client.review(realReview())).allowed, true)
  })
})

describe('other requests', () => {
  for (const [method, path, status] of [
    ['GET', '/mutate', 405],
    ['PUT', '/mutate', 405],
    ['POST', '/', 404],
    ['POST', '/mutate/', 404],
    ['GET', '/metrics', 404]
  ] as const) {
    test(`${method} ${path} is answered ${status}`, async t => {
      const serving = await Serving.start(t)
      const answer = await serving.client(t).send('', { method, path })
      assert.equal(answer.status, status)
      assert.equal(answer.headers['allow'], status === 405 ? 'POST' : undefined)
    })
  }
})

test('what is in flight is counted until its reply is out, or its sender gone', async t => {
  const serving = await Serving.start(t)
  const client = serving.client(t)
  const half = client.send('', { headers: { 'Content-Length': '100' } })
  await until('in flight', () => serving.observer.inFlight === 1)
  client.agent.destroy()
  await assert.rejects(half)
  await until('gone', () => serving.observer.inFlight === 0)
  assert.deepEqual(serving.observer.told, [])
})

test('bodies that arrive at once are bounded together, and there is room again when they are gone', async t => {
  const serving = await Serving.start(t, { maxArrivingBytes: 100_000 })
  const slow = serving.client(t)
  const half = slow.send(Buffer.alloc(80_000), { headers: { 'Content-Length': '90000' } })
  await until('in flight', () => serving.observer.inFlight === 1)
  const client = serving.client(t)
  await until('full', async () => (await client.send(Buffer.alloc(30_000, ' '))).status === 503)
  assert.equal((await client.review(realReview())).allowed, true)
  slow.agent.destroy()
  await assert.rejects(half)
  await until('room', async () => (await client.send(Buffer.alloc(30_000, ' '))).status === 400)
})

test('no bytes end the process, or get anything but an answer', async t => {
  const serving = await Serving.start(t)
  const client = serving.client(t)
  const real = Buffer.from(json(realReview()))
  const damaged = fc
    .tuple(fc.nat(real.length - 1), fc.uint8Array({ maxLength: 50 }))
    .map(([at, bytes]) => Buffer.concat([real.subarray(0, at), bytes, real.subarray(at + bytes.length)]))
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }).map(bytes => Buffer.from(bytes)),
    damaged,
    fc.json().map(text => Buffer.from(text)),
    fc
      .jsonValue()
      .map(object => Buffer.from(json({ ...realReview(), request: { uid: 'u', operation: 'CREATE', object } })))
  )
  await fc.assert(
    fc.asyncProperty(bodies, async body => {
      const { status } = await client.send(body)
      assert.ok(status === 200 || status === 400, `${status}`)
    }),
    { numRuns: 60 }
  )
  assert.deepEqual(serving.observer.failures, [])
})

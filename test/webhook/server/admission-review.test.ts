import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Report } from '../../../webhook/review.ts'
import { answer, parseAdmissionReview } from '../../../webhook/server/admission-review.ts'
import { subjectOf } from '../../../webhook/server/subject.ts'
import { clip, shortened } from '../../../webhook/server/warnings.ts'
import type { AdmissionResponse } from './client.ts'

const request = parseAdmissionReview(
  Buffer.from('{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1"}}')
)
const report = (result: Report['result'], warnings: string[] = []): Report => ({
  result,
  reasons: [
    { code: 'invalid_annotation', message: 'one is wrong' },
    { code: 'invalid_annotation', message: 'and another' },
    { code: 'no_logger', message: 'no logger' }
  ],
  warnings
})
const patch = [{ op: 'add' as const, path: '/x', value: '✓' }]
const responseOf = (review: object): AdmissionResponse => (review as { response: AdmissionResponse }).response

describe('an answer', () => {
  test('has the patch in base64, as UTF-8, and what it is', () => {
    const response = responseOf(answer(request, { report: report('inject'), patch }))
    assert.equal(response.patchType, 'JSONPatch')
    assert.deepEqual(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()), patch)
    assert.equal(response.allowed, true)
    assert.equal('status' in response, false)
  })

  test('without a change has neither patch nor patchType: Kubernetes takes one only with the other', () => {
    const response = responseOf(answer(request, { report: report('skip'), patch: [] }))
    assert.deepEqual(response, {
      uid: 'u-1',
      allowed: true,
      auditAnnotations: { result: 'skip', reasons: 'invalid_annotation,no_logger' }
    })
  })

  test('that denies says everything that is wrong in one message, and changes nothing', () => {
    const response = responseOf(answer(request, { report: report('deny'), patch }))
    assert.equal(response.allowed, false)
    assert.deepEqual(response.status, {
      code: 400,
      reason: 'BadRequest',
      message: 'one is wrong; and another; no logger'
    })
    assert.equal('patch' in response || 'patchType' in response, false)
  })

  test('has the warnings, in lines that the API server passes on', () => {
    const response = responseOf(answer(request, { report: report('inject', ['a\nb', 'x'.repeat(300)]), patch }))
    assert.deepEqual(response.warnings, ['a b', `${'x'.repeat(255)}…`])
  })
})

describe('warnings', () => {
  test('are at most 4096 characters together', () => {
    const many = Array.from({ length: 20 }, (_, i) => `${i} `.padEnd(256, 'w'))
    assert.deepEqual(shortened(many), many.slice(0, 16))
  })

  test('are counted in characters, and none is cut in two', () => {
    assert.equal(clip('😀'.repeat(256), 256), '😀'.repeat(256))
    assert.equal(clip('😀'.repeat(257), 256), `${'😀'.repeat(255)}…`)
  })

  test('that are empty are left out', () => assert.deepEqual(shortened(['', '\u0000\n', 'w']), ['w']))
})

describe('the subject of an admission', () => {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u' }

  test('is its names and its controller, and nothing else', () => {
    const metadata = {
      generateName: 'model-',
      namespace: 'elsewhere',
      annotations: { secret: 's' },
      ownerReferences: [
        { ...owner, name: 'another' },
        { ...owner, controller: true, blockOwnerDeletion: true }
      ]
    }
    assert.deepEqual(subjectOf('models', { metadata, spec: {} }), {
      namespace: 'models',
      name: undefined,
      generateName: 'model-',
      owner
    })
  })

  for (const [what, pod] of [
    ['nothing', null],
    ['a text', 'pod'],
    ['a list', []],
    ['metadata that is none', { metadata: 7 }],
    ['owners that are none', { metadata: { name: 3, ownerReferences: { controller: true } } }],
    ['an owner without a uid', { metadata: { ownerReferences: [{ ...owner, uid: undefined, controller: true }] } }]
  ] as const) {
    test(`of ${what} is nobody`, () => {
      assert.deepEqual(subjectOf('ns', pod), {
        namespace: 'ns',
        name: undefined,
        generateName: undefined,
        owner: undefined
      })
    })
  }

  test('has names of at most the length that Kubernetes takes', () => {
    assert.equal(subjectOf('ns', { metadata: { name: 'n'.repeat(5000) } }).name?.length, 253)
  })
})

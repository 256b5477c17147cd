import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STATUS_ANNOTATION } from '../../../webhook/annotations/table.ts'
import { applied } from './apply.ts'
import {
  assertGolden,
  goldenFiles,
  manifestCases,
  podCases,
  podsOf,
  podText,
  readable,
  reviewOf,
  type Pod
} from './cases.ts'
import { assertSameReport, Endpoint, entriesOf, injected } from './ways.ts'

/** The pod without the note that the webhook writes on one that it skips; `inject` leaves a manifest as it is. */
function withoutNote(pod: Pod): Pod {
  const { annotations, ...metadata } = structuredClone(pod.metadata)
  const { [STATUS_ANNOTATION]: _, ...others } = annotations ?? {}
  const had = Object.keys(others).length > 0
  return { ...pod, metadata: { ...metadata, ...(had ? { annotations: others } : {}) } }
}

test('a pod is what test/webhook/golden/pods/<name>.expected.yaml says', async t => {
  const endpoint = new Endpoint(t)
  for (const { name, pod, namespace, review, settings } of podCases) {
    await t.test(name, async () => {
      const manifest = JSON.stringify({ ...pod, metadata: { ...pod.metadata, namespace } }, null, 2)
      const asYaml = injected(manifest, settings)
      const asJson = injected(manifest, settings, { output: 'json', report: 'json' })
      assertGolden(`pods/${name}.report.txt`, asYaml.stderr)

      const response = await endpoint.review(review, settings)
      const [entry] = entriesOf(asJson)
      assertSameReport(response, entry)
      if (!response.allowed) {
        assert.deepEqual(response.operations, [])
        return
      }
      const admitted = applied(pod, response.operations) as Pod
      assertGolden(`pods/${name}.expected.yaml`, podText(admitted))
      assert.deepEqual(admitted.metadata['managedFields'], pod.metadata['managedFields'])
      assert.deepEqual(admitted.spec.containers[0], pod.spec.containers[0])
      for (const { op, path } of response.operations) {
        assert.ok(op === 'add' || path === '/spec/terminationGracePeriodSeconds', `${op} ${path}`)
      }

      const expected = readable(entry?.result === 'inject' ? admitted : withoutNote(admitted))
      const wanted = { ...expected, metadata: { ...expected.metadata, namespace } }
      for (const { stdout } of [asYaml, asJson]) {
        const [offline] = podsOf(stdout)
        assert.ok(offline)
        assert.deepEqual(readable(offline), wanted)
      }
      const [patched] = JSON.parse(injected(manifest, settings, { output: 'patch' }).stdout) as [{ patch: [] }]
      assert.deepEqual(readable(applied(JSON.parse(manifest), patched.patch) as Pod), wanted)
    })
  }
})

test('a manifest is, to the letter, what test/webhook/golden/manifests/<name>.expected.yaml says', async t => {
  const endpoint = new Endpoint(t)
  for (const { name, text, settings } of manifestCases) {
    await t.test(name, async () => {
      const { stdout, stderr } = injected(text, settings)
      assertGolden(`manifests/${name}.expected.yaml`, stdout)
      assertGolden(`manifests/${name}.report.txt`, stderr)

      const [before, after] = [podsOf(text), podsOf(stdout)]
      const asJson = injected(text, settings, { output: 'json', report: 'json' })
      const entries = entriesOf(asJson)
      assert.equal(after.length, before.length)
      for (const [index, pod] of before.entries()) {
        const namespace = typeof pod.metadata['namespace'] === 'string' ? pod.metadata['namespace'] : 'models'
        const response = await endpoint.review(reviewOf(pod, namespace), settings)
        assertSameReport(response, entries[index])
        const admitted = applied(pod, response.operations) as Pod
        assert.deepEqual(after[index], entries[index]?.result === 'inject' ? admitted : withoutNote(admitted))
      }
      assert.deepEqual(podsOf(asJson.stdout), after)
    })
  }
})

test('a manifest with lines that end as on Windows gets such lines', () => {
  for (const { text, settings } of manifestCases) {
    const crlf = (unix: string): string => unix.replaceAll('\n', '\r\n')
    assert.equal(injected(crlf(text), settings).stdout, crlf(injected(text, settings).stdout))
  }
})

test('every golden file has an input', () => {
  const known = [
    ...podCases.flatMap(({ name }) => [`pods/${name}.expected.yaml`, `pods/${name}.report.txt`]),
    ...manifestCases.flatMap(({ name }) => [`manifests/${name}.expected.yaml`, `manifests/${name}.report.txt`])
  ]
  assert.deepEqual(
    goldenFiles().filter(file => !known.includes(file)),
    []
  )
  assert.ok(podCases.length >= 18 && manifestCases.length >= 3)
})

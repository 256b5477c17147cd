import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { packageVersion } from '../../sidecar/package-version.ts'
import { chartFolder, ciFile, ciValues, withoutHelmTools, helmOfSuite } from '../support/helm/index.ts'

describe('helm lint --strict', { skip: withoutHelmTools() }, () => {
  const helm = helmOfSuite()

  for (const name of ciValues()) {
    test(`has nothing to say about ci/${name}-values.yaml`, async () => {
      assert.match(await helm().run('lint', '--strict', chartFolder(), '--values', ciFile(name)), /0 chart\(s\) failed/)
    })
  }

  for (const preset of ['values-ha.yaml', 'values-openshift.yaml']) {
    test(`has nothing to say about ${preset}`, async () => {
      const files = ['--values', ciFile('minimal'), '--values', join(chartFolder(), preset)]
      assert.match(await helm().run('lint', '--strict', chartFolder(), ...files), /0 chart\(s\) failed/)
    })
  }
})

test('The chart is of the version that the program has', () => {
  const { appVersion } = parse(readFileSync(join(chartFolder(), 'Chart.yaml'), 'utf8')) as { appVersion: string }
  assert.equal(appVersion, packageVersion())
})

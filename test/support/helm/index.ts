export { chartFolder, ciFile, ciValues, Helm, objectOf, objectsOf, type Rendered } from './helm.ts'
export { helmOfSuite } from './suite.ts'
export {
  helmBuildTimeoutMs,
  helmTool,
  prometheusOperator,
  prometheusOperatorModule,
  withoutGo,
  withoutHelmTools,
  yamlOfModule
} from './tools.ts'

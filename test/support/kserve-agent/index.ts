export { KServeAgent } from './agent.ts'
export { type KServeAgentOptions, type LogInput, type Lost } from './options.ts'
export { formatRequest, rfc3339Nano, unixNanoseconds, type AgentIdentity, type InferenceEvent } from './request.ts'

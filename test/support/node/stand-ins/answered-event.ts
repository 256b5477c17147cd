/** What became of an event that the stand-in agent sent: the answer's status, 0 when none came. */
export interface AnsweredEvent {
  id: string
  type: 'request' | 'response'
  status: number
}

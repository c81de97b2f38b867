// DescribeAcls (29), v1-3. There is no authorizer, so every question about ACLs is answered as by a Kafka without one: SECURITY_DISABLED.
import { refuse } from '../metadata/refusal.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeAcls } from '../protocol/messages/describe-acls.ts'
import { handler } from './handler.ts'

export const describeAcls = handler(DescribeAcls, () => ({
  ...refuse(ErrorCode.SECURITY_DISABLED, 'No Authorizer is configured on the broker'),
  resources: [],
}))

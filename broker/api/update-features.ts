// UpdateFeatures (57), v0-2. Sets the levels of features (KIP-584), all of them or none.
// - A level, a feature or a way that is not supported is INVALID_UPDATE_VERSION for the whole request, with Kafka's reason.
// - metadata.version is never lowered: there is no older form of the metadata log to go back to.
import { ErrorCode } from '../protocol/errors.ts'
import { UpdateFeatures } from '../protocol/messages/update-features.ts'
import { UpgradeType } from '../metadata/update-features.ts'
import { decided, isOutcome } from './controller-call.ts'
import { handler } from './handler.ts'

const FIRST_VERSION_WITH_UPGRADE_TYPE = 1
const LAST_VERSION_WITH_RESULTS = 1

export const updateFeatures = handler(UpdateFeatures, async (request, { controller, clock }, { apiVersion }) => {
  const { timeoutMs, validateOnly } = request
  const updates = request.featureUpdates.map(({ feature, maxVersionLevel, allowDowngrade, upgradeType }) => {
    if (apiVersion >= FIRST_VERSION_WITH_UPGRADE_TYPE) return { feature, maxVersionLevel, upgradeType }
    const type = allowDowngrade ? UpgradeType.SAFE_DOWNGRADE : UpgradeType.UPGRADE
    return { feature, maxVersionLevel, upgradeType: type }
  })
  const decision = await decided(controller.updateFeatures(updates, { validateOnly }), timeoutMs, clock)
  const outcome = isOutcome(decision) ? decision : decision[0]
  const hasResults = outcome.errorCode === ErrorCode.NONE && apiVersion <= LAST_VERSION_WITH_RESULTS
  return { ...outcome, results: hasResults ? updates.map(({ feature }) => ({ ...outcome, feature })) : [] }
})

// Levels of features: UpdateFeatures as a decision on the metadata image (KIP-584, KIP-778). All levels are set or none. The texts are
// Kafka's (FeatureControlManager). Not here: which features there are (features.ts).
import { ErrorCode } from '../protocol/errors.ts'
import type { Feature } from './features.ts'
import type { MetadataImage } from './image.ts'
import type { MetadataRecord } from './records.ts'
import { DONE, refuse, type Outcome } from './refusal.ts'

export type FeatureUpdate = {
  readonly feature: string
  /** 0 turns the feature off. */
  readonly maxVersionLevel: number
  readonly upgradeType: number
}

export type UpdateFeaturesOptions = {
  readonly validateOnly: boolean
  /** Who decides, for the texts. */
  readonly brokerId: number
  readonly supported: readonly Feature[]
}

/** FeatureUpdate.UpgradeType on the wire. */
export const UpgradeType = { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 } as const

const METADATA_VERSION = 'metadata.version'

export function updateFeatures(
  image: MetadataImage,
  updates: readonly FeatureUpdate[],
  options: UpdateFeaturesOptions,
  emit: (record: MetadataRecord) => void,
): Outcome {
  for (const update of updates) {
    const { feature, maxVersionLevel } = update
    const current = image.features.get(feature) ?? 0
    const reason = whyInvalid(update, current, options) ?? whyNoDowngrade(update, current)
    if (reason === null) continue
    return refuse(
      ErrorCode.INVALID_UPDATE_VERSION,
      'The update failed for all features since the following feature had an error: ' +
        (reason.startsWith('Unsupported') ? '' : `Invalid update version ${maxVersionLevel} for feature ${feature}. `) +
        reason,
    )
  }
  if (options.validateOnly) return DONE
  // A feature that is named twice gets the level that was named last.
  const levels = new Map(updates.map(({ feature, maxVersionLevel }) => [feature, maxVersionLevel]))
  for (const [feature, maxVersionLevel] of levels) {
    if ((image.features.get(feature) ?? 0) !== maxVersionLevel) {
      emit({ kind: 'feature-level-set', name: feature, level: maxVersionLevel })
    }
  }
  return DONE
}

function whyInvalid(
  { feature, maxVersionLevel, upgradeType }: FeatureUpdate,
  current: number,
  { brokerId, supported }: UpdateFeaturesOptions,
): string | null {
  if (!Object.values<number>(UpgradeType).includes(upgradeType)) {
    return 'The controller does not support the given upgrade type.'
  }
  if (maxVersionLevel < 0) return 'A feature version cannot be less than 0.'
  const known = supported.find(({ name }) => name === feature)
  if (known === undefined) {
    if (maxVersionLevel === 0) return `Feature ${feature} not found.`
    return `Local controller ${brokerId} does not support this feature.`
  }
  if (maxVersionLevel < known.minLevel || maxVersionLevel > known.maxLevel) {
    return `Local controller ${brokerId} only supports versions ${known.minLevel}-${known.maxLevel}`
  }
  if (maxVersionLevel < current && upgradeType === UpgradeType.UPGRADE) {
    return "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
  }
  if (maxVersionLevel > current && upgradeType !== UpgradeType.UPGRADE) {
    return "Can't downgrade to a newer version."
  }
  return null
}

/** Records have no older form to go back to. */
function whyNoDowngrade({ feature, maxVersionLevel, upgradeType }: FeatureUpdate, current: number): string | null {
  if (feature !== METADATA_VERSION || maxVersionLevel >= current) return null
  const why =
    upgradeType === UpgradeType.UNSAFE_DOWNGRADE
      ? 'Unsafe metadata downgrade is not supported in this version.'
      : 'Refusing to perform the requested downgrade because it might delete metadata information.'
  return `Unsupported metadata.version downgrade from ${current} to ${maxVersionLevel}. ${why}`
}

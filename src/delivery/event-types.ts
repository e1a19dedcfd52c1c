/** The CloudEvent type of "this release was published" (CDEvents 0.5.1). */
export const PUBLISHED_EVENT_TYPE = "dev.cdevents.artifact.published.0.3.0";

/** The CloudEvent type of "the CI of a published release ended badly afterwards". */
export const CI_ENDED_EVENT_TYPE = "dev.cdevents.pipelinerun.finished.0.3.0";

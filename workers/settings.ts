// What every Temporal worker here is set to; the bench's baseline runs under the same.

export const workerSettings = {
	maxConcurrentWorkflowTaskExecutions: 40,
	maxConcurrentActivityTaskExecutions: 200,
	maxConcurrentLocalActivityExecutions: 200,
	maxCachedWorkflows: 1_000,
	shutdownGraceTime: "5 seconds",
} as const;

// What every Temporal worker here is set to; the bench's baseline runs under the same.

export const workerSettings = {
	maxConcurrentWorkflowTaskExecutions: 40,
	maxConcurrentActivityTaskExecutions: 200,
	maxConcurrentLocalActivityExecutions: 200,
	// What is under way at 100 messages a second; a message that waits longer for its receipt is read again when that comes.
	maxCachedWorkflows: 200,
	shutdownGraceTime: "5 seconds",
} as const;

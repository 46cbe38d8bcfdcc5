// Which classes of data say something of somebody's health by their name.

export const healthClasses: readonly string[] = ["health", "phi", "consumer_health", "reproductive_health", "genetic"];

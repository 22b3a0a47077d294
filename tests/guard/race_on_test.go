//go:build race

package guard

// raceDetector: the room tested is watched for races too.
const raceDetector = true

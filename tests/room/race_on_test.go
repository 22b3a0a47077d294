//go:build race

package room

// raceDetector: the room tested is watched for races too.
const raceDetector = true

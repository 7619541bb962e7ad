Feature: A slot that shows no sign of life is ended

  A slot may be silent for so long after a prompt (--first-output-timeout), and for so long after anything that
  it has printed (--silence-timeout): words, thoughts, the work of a subagent, a retry. Then its process is
  ended, and the attempt fails with timed_out_start or timed_out_silence; a task with retries tries again in a
  new process. A slow tool is no hang: while one is at work, --tool-silence-timeout holds where it is longer.

  Scenario: A slot that falls silent is ended
    Given a pool of 1 slot with
      | silence timeout | 1 s |
    When the coordinator submits A, which works until it is released
    Then A fails for now with timed_out_silence

  Scenario: A slot that does not begin is ended
    Given a pool of 1 slot with
      | CLI                  | reads one prompt |
      | session              | slot             |
      | first output timeout | 1 s              |
    When the coordinator runs A, which answers "a"
    And the coordinator submits B, which answers "b"
    Then B fails for now with timed_out_start

  Scenario: A slow tool is no hang
    Given a pool of 1 slot with
      | silence timeout | 1 s               |
      | permission mode | bypassPermissions |
    When the coordinator runs A, which wants to run "sleep 2" and answers "slow"
    Then A answers "slow"

  Scenario: A tool that never ends is one
    Given a pool of 1 slot with
      | silence timeout      | 1 s               |
      | tool silence timeout | 2 s               |
      | permission mode      | bypassPermissions |
    When the coordinator submits A, which wants to run "sleep 60" and answers "never"
    Then A fails for now with timed_out_silence

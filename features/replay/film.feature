Feature: The film shows the pool as it stood at any event

  `replay --play` is the log on the whole terminal: what is spent and reserved, how many tasks are in which state, each
  slot as a lane, what waits and for what, and the last events. It is folded from the log alone, so that it needs no
  owner and disturbs none, and what it shows of the past is what the pool showed then. `replay --follow --play`
  is the same view, live.

  Scenario: Before, while and after a task runs
    Given a pool of 1 slot with
      | log | file |
    When the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    Then the film at "task.submitted" shows
      | line                  |
      | 1 pending · 0 running |
    And the film at "attempt.started" shows
      | line                  |
      | 0 pending · 1 running |
      | slot-0 busy           |
    And the film at "task.completed" shows
      | line                                |
      | 0 pending · 0 running · 1 completed |

  Scenario: What waits, and for what
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which is refused with status 500 once and answers "a", with
      | retries | 1 |
    Then A is parked because of "backoff"
    And the film at "task.parked" shows
      | line    |
      | Queue   |
      | backoff |
    When 1 second passes
    Then A is completed
    And the film at "attempt.failed" shows
      | line             |
      | A attempt.failed |

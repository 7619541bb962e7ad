Feature: The queue has a foreseeable end

  How long the present queue will take and what it will cost is told from the tasks that have ended in the same
  log: those of the same skill, step, tag or model where there are enough. Each forecast is many imagined
  courses. P50 is where half of them end by then, P90 where nine of ten do; here all tasks are alike, so both
  are the same. Pauses whose end is known are part of every course, and so is the budget: once it is spent, what
  is left of the queue is not paid. A pool that has seen too little says so instead.

  Scenario: What waits will take as long as what was like it
    Given a pool of 2 slots
    And 5 tasks have run for 60 seconds
    When the coordinator submits
      | task | which                      |
      | A    | works until it is released |
      | B    | works until it is released |
      | C    | works until it is released |
    Then A and B are running
    And the forecast is
      | finish in | spend  | dry in | unpaid |
      | 120       | $0.009 |        | 0      |
    When 45 seconds pass
    Then the forecast is
      | finish in | spend  |
      | 75        | $0.009 |

  Scenario: A budget that ends before the queue
    Given a pool of 1 slot with
      | budget | $0.021 |
    And 5 tasks have run for 60 seconds
    When the coordinator submits
      | task | which                      |
      | A    | works until it is released |
      | B    | works until it is released |
      | C    | works until it is released |
    And A is at work
    Then the forecast is
      | finish in | spend  | dry in | unpaid |
      | 120       | $0.006 | 120    | 1      |
    When the coordinator sets the budget to $1
    Then the forecast is
      | finish in | spend  | dry in | unpaid |
      | 180       | $0.009 | never  | 0      |

  Scenario: A step waits for those before it
    Given a pool of 2 slots
    And 5 tasks have run for 30 seconds
    When the coordinator chains as Z
      | task | which                      | needs |
      | A    | works until it is released |       |
      | B    | answers "b"                | A     |
      | C    | answers "c"                | A     |
      | D    | answers "d"                | B, C  |
    Then the forecast is
      | finish in | spend  |
      | 90        | $0.012 |

  Scenario: Without history there is no forecast
    Given a pool of 1 slot
    And 2 tasks have run for 60 seconds
    When the coordinator submits A, which works until it is released
    Then the forecast is
      | finish in | why not                                                           |
      |           | 2 tasks ended in this log so far, and a forecast needs 5 to go by |

Feature: An overloaded provider is given time, and less work at once

  When the provider is busy, asking again at once makes it worse. The pool waits a second first, and twice as
  long each time until something succeeds; after that half as many attempts run at once as before, and one
  more after each success. One task waits so three times in a row, or thirty times where it is told of too many
  requests. Then it fails as its retries say, so that nothing waits without an end.

  @real
  Scenario: An overload that passes costs no retry
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 529 once and answers "now"
    Then A is parked because of "provider_limit"
    When 1 second passes
    Then A answers "now"

  Scenario: Too many requests are waited out in the same way
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 429 once and answers "now"
    Then A is parked because of "provider_limit"
    When 1 second passes
    Then A answers "now"

  Scenario: An overload that lasts fails the task in the end
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 529
    Then A is parked because of "provider_limit"
    When 1 second passes
    Then A is parked because of "provider_limit"
    When 2 seconds pass
    Then A is parked because of "provider_limit"
    When 4 seconds pass
    Then A fails for now with provider_error

# Claims about fuzz_tests itself: it finds a planted bug, and the line that it prints finds it again.
#   cmake -DPROGRAM=... -P driver_test.cmake

execute_process(COMMAND ${PROGRAM} planted_bug --seed 7 RESULT_VARIABLE exit OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(exit EQUAL 0 OR NOT said MATCHES "run again with: fuzz_tests (planted_bug --seed 7 --first [0-9]+ --runs 1)\n")
    message(FATAL_ERROR "the planted bug was not found (exit ${exit}):\n${said}")
endif()

string(REPLACE " " ";" again "${CMAKE_MATCH_1}")
execute_process(COMMAND ${PROGRAM} ${again} RESULT_VARIABLE exit OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(exit EQUAL 0 OR NOT said MATCHES "broken property: the second byte is not 255")
    message(FATAL_ERROR "${again} did not find it again (exit ${exit}):\n${said}")
endif()

foreach(wrong "no_such_target" "--seed" "--seed;x" "--runs;-1")
    execute_process(COMMAND ${PROGRAM} ${wrong} RESULT_VARIABLE exit OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(NOT exit EQUAL 2 OR NOT said MATCHES "usage:")
        message(FATAL_ERROR "'${wrong}' is no argument, but: exit ${exit}\n${said}")
    endif()
endforeach()

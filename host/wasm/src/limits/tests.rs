use super::*;

#[test]
fn memories_and_tables_are_summed() {
    let mut memory = Memory::new(1000);
    assert!(memory.memory_growing(0, 600, None).unwrap());
    assert!(memory.table_growing(0, 40, None).unwrap());
    assert!(!memory.memory_growing(0, 100, None).unwrap(), "600 + 320 + 100 are more than 1000");
    assert_eq!(memory.now_bytes(), 920);
    assert_eq!(memory.refused_bytes(), Some(1020));
}

#[test]
fn a_growth_that_the_memory_itself_forbids_is_no_refusal() {
    let mut memory = Memory::new(1000);
    assert!(!memory.memory_growing(0, 600, Some(500)).unwrap());
    assert_eq!((memory.now_bytes(), memory.refused_bytes()), (0, None));
}

#[test]
fn tenfold_limits_do_not_overflow() {
    let limits = Limits { memory_bytes: usize::MAX, deadline: Duration::MAX, output_bytes: usize::MAX };
    assert_eq!(limits.tenfold(), limits);
}

//! Dictionaries of many batches as one, and of a few rows as what these need.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray, DictionaryArray, Int32Array, ListArray, MapArray, StructArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType};

/// Distinct values of several dictionaries, and what the keys of each become.
pub(super) struct Joined {
    pub(super) keys: Vec<ScalarBuffer<i32>>,
    pub(super) renumber: Vec<Arc<Vec<i32>>>,
    pub(super) values: ArrayRef,
}

/// Joins dictionaries of bytes.
pub(super) fn join(arrays: &[ArrayRef]) -> Result<Joined, ArrowError> {
    let parts: Vec<&DictionaryArray<Int32Type>> = arrays.iter().map(|a| a.as_dictionary::<Int32Type>()).collect();
    let keys = parts.iter().map(|d| d.keys().values().clone()).collect();
    let whole: Vec<&BinaryArray> = parts.iter().map(|d| d.values().as_binary::<i32>()).collect();
    if whole.iter().any(|values| values.null_count() > 0) {
        return Err(ArrowError::InvalidArgumentError("a dictionary with a null among its values".to_string()));
    }
    if let [only] = &whole[..] {
        let unchanged = Arc::new((0..only.len() as i32).collect());
        return Ok(Joined { keys, renumber: vec![unchanged], values: Arc::clone(parts[0].values()) });
    }
    let mut known: HashMap<&[u8], i32> = HashMap::new();
    let mut distinct: Vec<&[u8]> = Vec::new();
    let mut renumber: Vec<Arc<Vec<i32>>> = Vec::with_capacity(whole.len());
    for (index, values) in whole.iter().enumerate() {
        // Batches of one source have the same few values, again and again.
        if index > 0 && is_same(values, whole[index - 1]) {
            renumber.push(Arc::clone(&renumber[index - 1]));
            continue;
        }
        let mut number = |i: usize| {
            let value = values.value(i);
            *known.entry(value).or_insert_with(|| {
                distinct.push(value);
                distinct.len() as i32 - 1
            })
        };
        renumber.push(Arc::new((0..values.len()).map(&mut number).collect()));
    }
    let values = Arc::new(BinaryArray::from_iter_values(distinct));
    Ok(Joined { keys, renumber, values })
}

fn is_same(a: &BinaryArray, b: &BinaryArray) -> bool {
    a.len() == b.len() && a.value_offsets() == b.value_offsets() && a.value_data() == b.value_data()
}

/// The same rows, their dictionaries without values that none of them has.
pub(crate) fn shrink(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_binary::<i32>();
            let mut numbers = vec![-1; values.len()];
            let mut used: Vec<&[u8]> = Vec::new();
            let nulls = dictionary.keys().nulls();
            let number = |(row, key): (usize, &i32)| {
                if nulls.is_some_and(|n| n.is_null(row)) {
                    return 0;
                }
                let key = *key as usize;
                if numbers[key] < 0 {
                    numbers[key] = used.len() as i32;
                    used.push(values.value(key));
                }
                numbers[key]
            };
            let keys: Vec<i32> = dictionary.keys().values().iter().enumerate().map(number).collect();
            let keys = Int32Array::new(keys.into(), nulls.cloned());
            Arc::new(DictionaryArray::try_new(keys, Arc::new(BinaryArray::from_iter_values(used)))?)
        }
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let values = shrink(list.values())?;
            Arc::new(ListArray::try_new(Arc::clone(field), list.offsets().clone(), values, list.nulls().cloned())?)
        }
        DataType::Map(field, sorted) => {
            let map = array.as_map();
            let entries = shrink(&(Arc::new(map.entries().clone()) as ArrayRef))?.as_struct().clone();
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *sorted)?)
        }
        DataType::Struct(fields) => {
            let whole = array.as_struct();
            let columns = whole.columns().iter().map(shrink).collect::<Result<_, _>>()?;
            let nulls = whole.nulls().cloned();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, whole.len())?)
        }
        _ => Arc::clone(array),
    })
}

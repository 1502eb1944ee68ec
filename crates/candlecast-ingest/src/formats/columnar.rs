//! What Parquet and Arrow share: columns of a schema by name, record batches to rows.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;

use crate::layout::{Role, by_names};
use crate::row::{BATCH_ITEMS, Batch, Problem, RawRow, RowReader, VALUE_NAMES, VOLUME};
use crate::{IngestError, VolumeUnit, instant};

/// The columns of a schema that matter.
#[derive(Debug)]
pub(super) struct Projection {
    /// Indices into the schema, increasing.
    pub(super) indices: Vec<usize>,
    /// Role of each, in the same order.
    roles: Vec<Role>,
}

impl Projection {
    /// Finds the columns by name and refuses types that hold no numbers, times or text.
    pub(super) fn of(schema: &Schema, unit: VolumeUnit) -> Result<Self, IngestError> {
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let layout = by_names(&names, unit)?;
        let used = layout.roles.iter().enumerate().filter(|(_, role)| **role != Role::Skip);
        let (indices, roles): (Vec<usize>, Vec<Role>) = used.map(|(i, role)| (i, *role)).unzip();
        for (&i, &role) in indices.iter().zip(&roles) {
            let field = schema.field(i);
            if !fits(role, field.data_type()) {
                let what = format!(
                    "column `{}` of type {}: write it as numbers, times or text",
                    field.name(),
                    field.data_type()
                );
                return Err(IngestError::Unsupported { what });
            }
        }
        Ok(Self { indices, roles })
    }
}

fn fits(role: Role, data_type: &DataType) -> bool {
    let text = match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => is_text(other),
    };
    let time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    let decimal = matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..));
    match role {
        Role::Symbol => text,
        Role::Time => text || time || data_type.is_integer() || data_type.is_floating(),
        Role::Value(_) | Role::Skip => text || decimal || data_type.is_integer() || data_type.is_floating(),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Rows of record batches, decoded slice by slice.
pub(super) struct BatchRows<I> {
    batches: I,
    roles: Vec<Role>,
    current: Option<RecordBatch>,
    at: usize,
    row: u64,
    symbol: Option<String>,
    what: &'static str,
}

impl<I> BatchRows<I>
where
    I: Iterator<Item = Result<RecordBatch, IngestError>> + Send,
{
    /// `batches` must have the columns of `projection` only, in its order.
    pub(super) fn new(batches: I, projection: Projection, what: &'static str) -> Self {
        Self { batches, roles: projection.roles, current: None, at: 0, row: 0, symbol: None, what }
    }

    /// A decoder that panics on a damaged file must not take the program with it.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, IngestError> {
        let next = catch_unwind(AssertUnwindSafe(|| self.batches.next()));
        next.unwrap_or_else(|_| Some(Err(IngestError::damaged(self.what, "its decoder failed")))).transpose()
    }

    fn decode(&mut self, slice: &RecordBatch, batch: &mut Batch) -> Result<(), ArrowError> {
        let mut times = None;
        let mut symbols = None;
        let mut values: [Option<Float64Array>; 8] = [const { None }; 8];
        for (role, column) in self.roles.iter().zip(slice.columns()) {
            match *role {
                Role::Time => times = Some(Times::of(column)?),
                Role::Value(k) => values[k] = Some(numbers(column)?),
                Role::Symbol => symbols = Some(strings(column)?),
                Role::Skip => {}
            }
        }
        let Some(times) = times else { return Ok(()) };
        for i in 0..slice.num_rows() {
            self.row += 1;
            let row = raw_row(self.row, i, &times, &values)
                .and_then(|row| check_symbol(&mut self.symbol, symbols.as_ref(), i).map(|()| row));
            batch.push(self.row, row);
        }
        Ok(())
    }
}

impl<I> RowReader for BatchRows<I>
where
    I: Iterator<Item = Result<RecordBatch, IngestError>> + Send,
{
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        let current = match self.current.take() {
            Some(current) => current,
            None => match self.next_batch()? {
                Some(next) => next,
                None => return Ok(false),
            },
        };
        let n = BATCH_ITEMS.min(current.num_rows() - self.at);
        let slice = current.slice(self.at, n);
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decode(&slice, batch)));
        match decoded {
            Ok(done) => done.map_err(|error| IngestError::damaged(self.what, error))?,
            Err(_) => return Err(IngestError::damaged(self.what, "its decoder failed")),
        }
        self.at += n;
        if self.at < current.num_rows() {
            self.current = Some(current);
        } else {
            self.at = 0;
        }
        Ok(true)
    }

    fn symbol(&self) -> Option<String> {
        self.symbol.clone()
    }
}

fn raw_row(line: u64, i: usize, times: &Times, values: &[Option<Float64Array>; 8]) -> Result<RawRow, Problem> {
    let mut row = RawRow { line, time: times.at(i)?, values: [f64::NAN; 8] };
    for (k, column) in values.iter().enumerate() {
        match column {
            Some(column) if column.is_valid(i) => row.values[k] = column.value(i),
            Some(_) if k <= VOLUME => return Err(Problem::Missing(VALUE_NAMES[k])),
            _ => {}
        }
    }
    Ok(row)
}

fn check_symbol(first: &mut Option<String>, symbols: Option<&StringArray>, i: usize) -> Result<(), Problem> {
    let Some(symbols) = symbols.filter(|s| s.is_valid(i)) else { return Ok(()) };
    let found = symbols.value(i);
    let first = first.get_or_insert_with(|| found.to_string());
    if first == found {
        return Ok(());
    }
    let short = |text: &str| text.chars().take(40).collect();
    Err(Problem::OtherSymbol { found: short(found), first: short(first) })
}

/// Text that is no number becomes null, so a required field then is "empty".
fn numbers(column: &ArrayRef) -> Result<Float64Array, ArrowError> {
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn integers(column: &ArrayRef) -> Result<Int64Array, ArrowError> {
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn strings(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A time column.
enum Times {
    /// Of a declared unit: value / divisor x factor = ms.
    Unit {
        values: Int64Array,
        times: i64,
        over: i64,
    },
    /// Numbers of unknown unit.
    Number(Int64Array),
    Float(Float64Array),
    Text(StringArray),
}

impl Times {
    fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        let unit =
            |times, over| -> Result<Self, ArrowError> { Ok(Self::Unit { values: integers(column)?, times, over }) };
        match column.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => unit(1_000, 1),
            DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => unit(1, 1),
            DataType::Timestamp(TimeUnit::Microsecond, _) => unit(1, 1_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => unit(1, 1_000_000),
            DataType::Date32 => unit(86_400_000, 1),
            t if t.is_integer() => Ok(Self::Number(integers(column)?)),
            t if t.is_floating() => Ok(Self::Float(numbers(column)?)),
            _ => Ok(Self::Text(strings(column)?)),
        }
    }

    fn at(&self, i: usize) -> Result<i64, Problem> {
        match self {
            Self::Unit { values, times, over } => whole(values, i, |n| {
                let ms = if n % over == 0 { (n / over).checked_mul(*times) } else { None };
                ms.and_then(instant::in_range)
            }),
            Self::Number(values) => whole(values, i, instant::from_number),
            Self::Float(values) if values.is_null(i) => Err(Problem::Missing("open_time")),
            Self::Float(values) => {
                let x = values.value(i);
                instant::from_float(x).ok_or_else(|| Problem::Time(x.to_string()))
            }
            Self::Text(values) => text_time(values, i),
        }
    }
}

fn whole(values: &Int64Array, i: usize, ms: impl Fn(i64) -> Option<i64>) -> Result<i64, Problem> {
    if values.is_null(i) {
        return Err(Problem::Missing("open_time"));
    }
    let n = values.value(i);
    ms(n).ok_or_else(|| Problem::Time(n.to_string()))
}

fn text_time(values: &StringArray, i: usize) -> Result<i64, Problem> {
    if values.is_null(i) {
        return Err(Problem::Missing("open_time"));
    }
    instant::parse(values.value(i).trim().as_bytes())
}

//! Instants as documents write them.

/// Milliseconds since 1970 of an instant in UTC, `2020-01-10T00:01:00Z`, with a fraction or without; `None` for other
/// words.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let is_valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    is_valid.then_some(seconds * 1_000 + thousandths.parse::<i64>().ok()?)
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(|part| part.parse::<i64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970 of a date of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_and_without_a_fraction() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2020-01-01T00:00:00Z"), Some(crate::candle_file::YEAR_2020_MS));
        assert_eq!(millis("2020-01-10T00:01:00Z"), Some(1_578_614_460_000));
        // `date -u -d 2024-02-29T23:59:59.25Z +%s%3N`.
        assert_eq!(millis("2024-02-29T23:59:59.25Z"), Some(1_709_251_199_250));
        assert_eq!(millis("1969-12-31T23:59:59Z"), Some(-1_000));
    }

    #[test]
    fn other_words_are_no_instant() {
        for bad in ["", "2020-01-10", "2020-01-10T00:01:00", "2020-13-10T00:01:00Z", "2020-01-10T00:01Z", "TZ"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}

using System.Buffers;
using System.Text;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Protocol;

namespace Robotics.Fleet;

public sealed partial class RobotServer
{
    private const int MaxRequest = 64 * 1024; // bytes of a control request; a claim of 64 joints needs 3 KiB
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private readonly DelayLine? _lateTimeRequests;
    private readonly DelayLine? _lateTimeReplies;
    private readonly bool _delayTime;

    private async Task KeepConnected()
    {
        var retry = FirstRetry;
        while (!_stopping.IsCancellationRequested)
        {
            var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Task Left(MqttClientDisconnectedEventArgs _)
            {
                gone.TrySetResult();
                return Task.CompletedTask;
            }

            _client.DisconnectedAsync += Left;
            try
            {
                await Connect().ConfigureAwait(false);
                retry = FirstRetry;
                _connectedOnce.TrySetResult();
                await gone.Task.WaitAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (IsOfTheLink(error))
            {
                // Ordinary: no broker there yet, or it went again. The robot's own side goes on measuring and holding.
                LinkFailure = error.Message;
            }
            finally
            {
                _client.DisconnectedAsync -= Left;
            }

            await Task.Delay(retry, TimeProvider.System, _stopping.Token).ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
            retry = retry * 2 < LastRetry ? retry * 2 : LastRetry;
        }
    }

    private async Task Connect()
    {
        await _broker.ConnectAsync(_client, _topics.Robot + "-robot", will => will
            .WithWillTopic(_topics.Connection)
            .WithWillPayload(Documents.Write(Connection(ConnectionDocument.Broken)))
            .WithWillQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce)
            .WithWillRetain(), _stopping.Token).ConfigureAwait(false);
        var subscribe = new MqttClientFactory().CreateSubscribeOptionsBuilder()
            .WithTopicFilter(_topics.Command, MqttQualityOfServiceLevel.AtMostOnce)
            .WithTopicFilter(_topics.Time, MqttQualityOfServiceLevel.AtMostOnce)
            .WithTopicFilter(_topics.Control, MqttQualityOfServiceLevel.AtLeastOnce)
            .Build();
        await _client.SubscribeAsync(subscribe, _stopping.Token).ConfigureAwait(false);
        await _client.PublishAsync(Kept(_topics.Description, _description), _stopping.Token).ConfigureAwait(false);

        // ONLINE last: who sees it finds the description and an ear for its requests.
        await _client.PublishAsync(Kept(_topics.Connection, Documents.Write(Connection(ConnectionDocument.Online))), _stopping.Token).ConfigureAwait(false);
    }

    private async Task SayGoodBye()
    {
        if (!_client.IsConnected)
        {
            return;
        }

        using var patience = new CancellationTokenSource(Farewell);
        try
        {
            await _client.PublishAsync(Kept(_topics.Connection, Documents.Write(Connection(ConnectionDocument.Offline))), patience.Token).ConfigureAwait(false);
            await _client.DisconnectAsync(new MqttClientDisconnectOptions(), patience.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (IsOfTheLink(error))
        {
            // The broker went at the same moment; the last will says so.
        }
    }

    private ConnectionDocument Connection(string state) =>
        new(Interlocked.Increment(ref _headers), CommandIntake.Timestamp(_clock), "1.0", "Robotics", _topics.Robot, state);

    private static MqttApplicationMessage Kept(string topic, byte[] payload) => new MqttApplicationMessageBuilder()
        .WithTopic(topic).WithPayload(payload).WithRetainFlag().WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce).Build();

    // On MQTTnet's receiver: whatever the bytes are, it returns at once and throws nothing.
    private Task Receive(MqttApplicationMessageReceivedEventArgs received)
    {
        var message = received.ApplicationMessage;
        var payload = message.Payload;
        if (message.Topic == _topics.Control)
        {
            if (payload.Length <= MaxRequest && !message.Retain)
            {
                Control(payload.ToArray(), message);
            }
        }
        else if (message.Topic == _topics.Command)
        {
            // One byte more than the longest frame is enough to know that it is too long.
            var frame = Bytes(payload.Length > _frame.Length + 4096 ? payload.Slice(0, _frame.Length + 4096) : payload);
            if (_lateCommands is { } late && !message.Retain)
            {
                late.Add(frame);
            }
            else
            {
                _intake.Take(frame, message.Retain);
            }
        }
        else if (message.Topic == _topics.Time && payload.Length <= 72 && !message.Retain)
        {
            if (_delayTime)
            {
                _lateTimeRequests!.Add(Bytes(payload));
            }
            else
            {
                AnswerTime(Bytes(payload));
            }
        }

        return Task.CompletedTask;
    }

    private static ReadOnlySpan<byte> Bytes(in ReadOnlySequence<byte> payload) => payload.IsSingleSegment ? payload.FirstSpan : payload.ToArray();

    private void Control(byte[] json, MqttApplicationMessage message)
    {
        var request = Documents.ReadRequest(json);
        if (request is not { Do: not null, Id.Length: <= 256, Client: not null } || !Topics.IsName(request.Client))
        {
            return; // nobody to answer
        }

        if (_intake.Ask(request) is { } reply)
        {
            Answer(request, message, reply);
        }
        else if (!_requests.Writer.TryWrite(new(request, message, null)))
        {
            Answer(request, message, new(request.Id, false, 0, "the robot side is busy with other requests; try again."));
        }
    }

    private void Answer(ControlRequest request, MqttApplicationMessage asked, ControlReply reply)
    {
        // A response topic elsewhere would make the robot speak where its asker may not.
        string prefix = _topics.Reply("");
        string topic = asked.ResponseTopic is { } wanted && wanted.StartsWith(prefix, StringComparison.Ordinal) && Topics.IsName(wanted[prefix.Length..])
            ? wanted
            : _topics.Reply(request.Client);
        _outbox.Writer.TryWrite(new MqttApplicationMessage
        {
            Topic = topic,
            PayloadSegment = Documents.Write(reply),
            QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
            CorrelationData = asked.CorrelationData,
        });
    }

    private void AnswerTime(ReadOnlySpan<byte> request)
    {
        var arrived = MonotonicTime.Now(_clock);
        if (!Frames.ReadTimeRequest(request, out var sentAt, out var name) || !Ascii.IsValid(name))
        {
            return;
        }

        string client = Encoding.ASCII.GetString(name);
        if (!Topics.IsName(client))
        {
            return;
        }

        var answer = new byte[Frames.TimeReplyLength + name.Length];
        name.CopyTo(answer.AsSpan(Frames.TimeReplyLength));
        Frames.WriteTimeReply(answer, sentAt, arrived, MonotonicTime.Now(_clock));
        if (_lateTimeReplies is { } late)
        {
            late.Add(answer);
        }
        else
        {
            LeaveTime(answer);
        }
    }

    // The answer, then the client's name, which only says where it goes.
    private void LeaveTime(Memory<byte> answer)
    {
        if (_client.IsConnected)
        {
            _ = SendQuietly(new MqttApplicationMessage
            {
                Topic = _topics.TimeReply(Encoding.ASCII.GetString(answer.Span[Frames.TimeReplyLength..])),
                PayloadSegment = answer[..Frames.TimeReplyLength].ToArray(),
                QualityOfServiceLevel = MqttQualityOfServiceLevel.AtMostOnce,
            });
        }
    }

    // Claims and releases one after another, and events in their order.
    private async Task ServeRequests()
    {
        try
        {
            await foreach (var request in _requests.Reader.ReadAllAsync(_stopping.Token).ConfigureAwait(false))
            {
                if (request.Event is { } robotEvent)
                {
                    Raised?.Invoke(robotEvent);
                    _outbox.Writer.TryWrite(new MqttApplicationMessage
                    {
                        Topic = _topics.Event,
                        PayloadSegment = Documents.Write(robotEvent),
                        QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
                    });
                }
                else if (request is { Control: { } control, Message: { } message })
                {
                    Answer(control, message, await _intake.TakeOver(control, _stopping.Token).ConfigureAwait(false));
                }
                else
                {
                    await _intake.GiveBack(_stopping.Token).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server ends.
        }
    }

    private async Task SendOutbox()
    {
        try
        {
            await foreach (var message in _outbox.Reader.ReadAllAsync(_stopping.Token).ConfigureAwait(false))
            {
                if (_client.IsConnected)
                {
                    await SendQuietly(message).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server ends.
        }
    }

    private async Task SendQuietly(MqttApplicationMessage message)
    {
        try
        {
            await _client.PublishAsync(message, _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (IsOfTheLink(error))
        {
            // The link went while this left; whoever waits for it asks again after the reconnect.
        }
    }

    private static bool IsOfTheLink(Exception error) =>
        error is MqttCommunicationException or MqttClientNotConnectedException or MqttClientDisconnectedException or MqttProtocolViolationException
            or OperationCanceledException or TimeoutException or IOException or System.Net.Sockets.SocketException or ObjectDisposedException
            or InvalidOperationException or System.Security.Authentication.AuthenticationException;
}

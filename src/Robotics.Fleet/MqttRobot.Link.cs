using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Protocol;
using Robotics.Packages;

namespace Robotics.Fleet;

public sealed partial class MqttRobot
{
    private const int QuickPings = 10;
    private const int LongestEvent = 4096; // bytes; a sentence has a few hundred
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_lastRetry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_quickPing = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_ping = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, TaskCompletionSource<ControlReply>> _asked = new();
    private readonly ConcurrentDictionary<string, byte> _seen = new(); // robots online on this broker
    private readonly TaskCompletionSource<string> _described = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cameOnline = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _newestState; // the receiver's
    private TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task Begin(CancellationToken cancellation)
    {
        _client.ApplicationMessageReceivedAsync += Receive;
        _client.DisconnectedAsync += _ =>
        {
            // MQTTnet tells it late, perhaps when the next connection stands already.
            if (!_client.IsConnected)
            {
                _connected = false; // seen by the loop's next tick
                _gone.TrySetResult();
            }

            return Task.CompletedTask;
        };
        await Connect(cancellation).ConfigureAwait(false);
        _keeping = Task.Run(Keep, CancellationToken.None);
        try
        {
            string description = await _described.Task.WaitAsync(_options.Patience, cancellation).ConfigureAwait(false);
            await _cameOnline.Task.WaitAsync(_options.Patience, cancellation).ConfigureAwait(false);
            var spec = RobotFile.Parse(description, $"{_topics.Description} at {_broker}");
            _states = new(spec.Layout.Length);
            _commands = new(() => new Outgoing(spec.Joints.Count));
            _spec = spec;
            _sender = new Thread(SendNewest) { Name = "robot commands", IsBackground = true };
            _sender.Start();
        }
        catch (TimeoutException)
        {
            string[] others = [.. _seen.Keys.Where(name => name != _topics.Robot).Order(StringComparer.Ordinal)];
            throw new ConfigException($"broker {_broker}", [$"has no robot '{_topics.Robot}' online; "
                + (others.Length == 0 ? "no robot is online there. Start its robot side, for example 'robotics sim-robot'." : $"online there: {string.Join(", ", others)}.")]);
        }
    }

    private async Task Connect(CancellationToken cancellation)
    {
        _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await _broker.ConnectAsync(_client, _name, null, cancellation).ConfigureAwait(false);
        var wanted = new MqttClientFactory().CreateSubscribeOptionsBuilder()
            .WithTopicFilter(Topics.AllConnections, MqttQualityOfServiceLevel.AtLeastOnce)
            .WithTopicFilter(_topics.Description, MqttQualityOfServiceLevel.AtLeastOnce)
            .WithTopicFilter(_topics.State, MqttQualityOfServiceLevel.AtMostOnce)
            .WithTopicFilter(_topics.Reply(_name), MqttQualityOfServiceLevel.AtLeastOnce)
            .WithTopicFilter(_topics.TimeReply(_name), MqttQualityOfServiceLevel.AtMostOnce)
            .WithTopicFilter(_topics.Operator, MqttQualityOfServiceLevel.AtLeastOnce)
            .WithTopicFilter(_topics.Event, MqttQualityOfServiceLevel.AtLeastOnce)
            .Build();
        await _client.SubscribeAsync(wanted, cancellation).ConfigureAwait(false);
        _connections++;
        _connected = true;
        if (!_client.IsConnected)
        {
            _connected = false; // it went before anybody could be told
        }
    }

    // One task for everything slow: the connection, the clock offset, the lease.
    private async Task Keep()
    {
        var retry = s_firstRetry;
        long pings = 0;
        var renewed = MonotonicTime.Now(TimeProvider.System);
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                if (!_connected)
                {
                    // What was known of the robot is history: it must say again that it is there.
                    _online = false;
                    _measured = false;
                    await Connect(_stopping.Token).ConfigureAwait(false);
                    retry = s_firstRetry;
                    pings = 0;
                    await Renew().ConfigureAwait(false);
                }

                await Ping().ConfigureAwait(false);
                if (MonotonicTime.SystemNow() - renewed > _options.Lease / 3)
                {
                    renewed = MonotonicTime.SystemNow();
                    await Renew().ConfigureAwait(false);
                }

                await Pause(pings++ < QuickPings ? s_quickPing : s_ping).ConfigureAwait(false);
            }
            catch (Exception error) when (IsOfTheLink(error))
            {
                await Pause(retry).ConfigureAwait(false);
                retry = retry * 2 < s_lastRetry ? retry * 2 : s_lastRetry;
            }
        }

        if (_connected)
        {
            try
            {
                await _client.DisconnectAsync(new MqttClientDisconnectOptions(), CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception error) when (IsOfTheLink(error))
            {
                // It went at the same moment.
            }
        }

        // Sleeps, but wakes at once when the link goes.
        async Task Pause(TimeSpan span)
        {
            if (_connected)
            {
                await Task.WhenAny(_gone.Task, Task.Delay(span, _stopping.Token)).ConfigureAwait(false);
            }
            else
            {
                await Task.Delay(span, _stopping.Token).ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
            }
        }
    }

    private async Task Ping()
    {
        var request = new byte[8 + _name.Length];
        Frames.WriteTimeRequest(request, MonotonicTime.Now(_clock), Encoding.ASCII.GetBytes(_name));
        await _client.PublishAsync(new MqttApplicationMessage { Topic = _topics.Time, PayloadSegment = request }, _stopping.Token).ConfigureAwait(false);
    }

    private async Task Renew()
    {
        if (_epoch is > 0 and var epoch)
        {
            await _client.PublishAsync(Request(new ControlRequest { Do = "renew", Id = "renew-" + epoch, Client = _name, Epoch = epoch }), _stopping.Token).ConfigureAwait(false);
        }
    }

    private async Task<ControlReply> Ask(ControlRequest request, CancellationToken cancellation)
    {
        var answered = _asked[request.Id] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            await _client.PublishAsync(Request(request), cancellation).ConfigureAwait(false);
            return await answered.Task.WaitAsync(_options.Patience, cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is TimeoutException || (IsOfTheLink(error) && !cancellation.IsCancellationRequested))
        {
            throw new RobotRefusedException($"Robot '{_topics.Robot}' did not answer '{request.Do}' at {_broker} within {_options.Patience.TotalSeconds} s; is its robot side running there?", error);
        }
        finally
        {
            _asked.TryRemove(request.Id, out _);
        }
    }

    private async Task Tell(ControlRequest request)
    {
        try
        {
            await _client.PublishAsync(Request(request), _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (IsOfTheLink(error))
        {
            // Without a link no word gets through; the robot's own timer holds it.
        }
    }

    private MqttApplicationMessage Request(ControlRequest request)
    {
        var message = new MqttApplicationMessage
        {
            Topic = _topics.Control,
            PayloadSegment = Documents.Write(request),
            QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
        };
        if (BrokerOptions.SpeaksVersion5(_client))
        {
            message.ResponseTopic = _topics.Reply(_name);
            message.CorrelationData = Encoding.ASCII.GetBytes(request.Id);
            message.MessageExpiryInterval = 2; // a request that waited longer asks for something else by now
        }

        return message;
    }

    private void SendNewest()
    {
        while (!_disposed)
        {
            _wake.Wait();
            if (!_commands!.Take() || !_connected)
            {
                continue;
            }

            var newest = _commands.Front;
            if (newest.Connection != _connections)
            {
                continue; // meant for a robot of before the outage
            }

            var message = new MqttApplicationMessage
            {
                Topic = _topics.Command,
                PayloadSegment = new ArraySegment<byte>(newest.Frame, 0, newest.Length),
                QualityOfServiceLevel = MqttQualityOfServiceLevel.AtMostOnce,
                ContentType = BrokerOptions.SpeaksVersion5(_client) ? Topics.FrameContentType : null,
            };
            try
            {
                _client.PublishAsync(message, _stopping.Token).GetAwaiter().GetResult();
            }
            catch (Exception error) when (IsOfTheLink(error))
            {
                Interlocked.Increment(ref _overwritten); // it never left; a newer one will
            }
        }
    }

    // MQTTnet calls it one message at a time. Whatever the bytes are, it throws nothing.
    private Task Receive(MqttApplicationMessageReceivedEventArgs received)
    {
        var message = received.ApplicationMessage;
        string topic = message.Topic;
        if (message.Retain && (topic == _topics.State || topic == _topics.Operator || topic == _topics.Event))
        {
            Interlocked.Increment(ref _dropped); // neither a measurement nor a word comes from the past
        }
        else if (topic == _topics.State)
        {
            TakeState(Bytes(message));
        }
        else if (topic == _topics.TimeReply(_name))
        {
            if (Frames.ReadTimeReply(Bytes(message), out var sent, out var arrived, out var answered))
            {
                _offset.Add(sent, arrived, answered, MonotonicTime.Now(_clock));
            }
        }
        else if (topic == _topics.Reply(_name))
        {
            TakeReply(Documents.ReadReply(Bytes(message)));
        }
        else if (topic == _topics.Description)
        {
            _described.TrySetResult(Encoding.UTF8.GetString(Bytes(message)));
        }
        else if (topic == _topics.Operator)
        {
            TakeOperator(Bytes(message));
        }
        else if (topic == _topics.Event)
        {
            TakeEvent(message.Payload.Length <= LongestEvent ? Documents.ReadEvent(Bytes(message)) : null);
        }
        else if (topic.EndsWith("/connection", StringComparison.Ordinal))
        {
            TakeConnection(topic, Documents.ReadConnection(Bytes(message)));
        }

        return Task.CompletedTask;
    }

    private void TakeState(ReadOnlySpan<byte> frame)
    {
        if (_states is not { } states)
        {
            return;
        }

        var now = MonotonicTime.Now(_clock);
        var observation = states.Back;
        if (Frames.ReadState(frame, out var header, observation.Signals) != FrameStatus.Ok)
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        if (header.Sequence <= _newestState)
        {
            Interlocked.Increment(ref _dropped); // out of order, or twice
            return;
        }

        _newestState = header.Sequence;
        uint epoch = _epoch;
        bool ours = epoch != 0 && header.Epoch == epoch;
        if (ours)
        {
            _epochSeen = epoch;
        }
        else if (epoch != 0 && epoch == _epochSeen)
        {
            _epochLost = epoch;
        }

        observation.Sequence = header.Sequence;
        observation.MeasuredAt = header.MeasuredAt;
        observation.ReceivedAt = now;
        // Before the first exchange the measurement cannot be placed better than "when it arrived".
        observation.MeasuredAtLocal = _offset.Known ? new(header.MeasuredAt.Nanoseconds - _offset.OffsetNs) : now;
        observation.Mode = header.Mode;
        observation.ModeReason = header.Reason;
        observation.AppliedCommand = ours ? _sequences.Find(epoch, header.AppliedCommand) : 0;
        observation.ActionAgeNs = ours ? header.ActionAgeNs : 0;
        states.Publish();
        _measured = true;
    }

    private void TakeReply(ControlReply? reply)
    {
        if (reply is null)
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        if (_asked.TryGetValue(reply.Id, out var answered))
        {
            answered.TrySetResult(reply);
        }
        else if (reply.Id == "renew-" + _epoch && !reply.Ok)
        {
            _epochLost = _epoch;
        }
    }

    private void TakeOperator(ReadOnlySpan<byte> json)
    {
        try
        {
            if (JsonSerializer.Deserialize(json, OperatorContext.Default.OperatorRequest) is { Do: not null } asked)
            {
                OperatorAsked?.Invoke(asked);
            }
        }
        catch (JsonException)
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    private void TakeEvent(RobotEvent? happened)
    {
        if (happened is { Text: not null })
        {
            Said?.Invoke(happened);
        }
        else
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    private void TakeConnection(string topic, ConnectionDocument? document)
    {
        string robot = topic[Topics.Root.Length..^"/connection".Length];
        bool online = document?.ConnectionState == ConnectionDocument.Online;
        if (online)
        {
            _seen[robot] = 0;
        }
        else
        {
            _seen.TryRemove(robot, out _);
        }

        if (robot == _topics.Robot)
        {
            _online = online;
            _newestState = 0; // a robot side that begins anew counts anew
            if (online)
            {
                _cameOnline.TrySetResult();
            }
            else
            {
                _measured = false;
            }
        }
    }

    private static bool IsOfTheLink(Exception error) =>
        error is BrokerException or MqttCommunicationException or MqttClientNotConnectedException or MqttClientDisconnectedException
            or MqttProtocolViolationException or OperationCanceledException or TimeoutException or IOException
            or System.Net.Sockets.SocketException or ObjectDisposedException or InvalidOperationException;
}
